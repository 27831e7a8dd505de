// The panel's model: what the kernel said, what was asked of it, and what the reader has begun. One for all its views.
import { Commands, Refused, type Answer, type Order } from "./commands";
import { begin, isFile, values, type Draft } from "./form";
import type { FromBrowser, FromKernel, TakenValue } from "./protocol.gen";
import { FormPlaces } from "../places";
import { fileControl } from "./formfile";
import { watchKernel, type Kernel } from "./host";
import { Player } from "./sound";
import { Store } from "./store";
import { Uploads, type Item } from "./uploads";

export interface Model {
  get(name: string): unknown;
  on(name: string, callback: (message: FromKernel, buffers?: DataView[]) => void): void;
  off(name: string, callback: (message: FromKernel, buffers?: DataView[]) => void): void;
  send(message: FromBrowser, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  widget_manager?: { kernel?: Kernel };
}

/** A question on its way to the kernel. */
export interface Asked {
  id: number;
  query: string;
  files: Item[];
}

export interface Notice {
  message: string;
  hint: string | null;
}

/** Milliseconds of silence of a running answer after which the kernel is asked; doubled with every question. */
const PATIENCE = 4000;
const PATIENCE_MOST = 60_000;

export class Panel {
  readonly store: Store;
  readonly commands: Commands;
  readonly uploads: Uploads;
  readonly player: Player;
  /** Where runs that wait ask the reader. */
  readonly places: FormPlaces;
  asked: Asked[] = [];
  notice: Notice | null = null;
  /** A short word about something done; goes by itself. */
  toast = "";
  /** The question that is being written. */
  text = "";
  draft: Draft = {};
  /** The kernel is gone. */
  lost = false;
  /** Whether sound is played as it comes; null until the reader chooses. */
  aloud: boolean | null = null;
  /** What a screen reader is told. */
  said = "";
  #dirty = false;
  #formed = "";
  /** By view: what its forms were when they were shown last. */
  readonly #asking = new Map<number, string>();
  #patience = PATIENCE;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #hello: ReturnType<typeof setTimeout> | undefined;
  #toasted: ReturnType<typeof setTimeout> | undefined;
  readonly #unwatch: () => void;

  constructor(private readonly model: Model) {
    const changed = () => this.changed();
    this.commands = new Commands((message, buffers) => model.send(message, undefined, buffers), changed);
    this.uploads = new Uploads(this.commands, changed);
    this.player = new Player(changed);
    this.places = new FormPlaces({
      css: () => this.css,
      submit: (view, place, action, inputs) => this.#submit(view, place, action, inputs),
      file: (field, state) => fileControl(this, field, state),
    });
    this.store = new Store(
      () => this.greet(),
      (text) => this.say(text),
    );
    model.on("msg:custom", this.#hear);
    this.#unwatch = watchKernel(this.kernel, () => this.#lose());
    this.greet();
  }

  get kernel(): Kernel | undefined {
    return this.model.widget_manager?.kernel;
  }

  get css(): string {
    return String(this.model.get("css") ?? "");
  }

  readonly t = (key: string, values?: Record<string, string | number>): string => this.store.t(key, values);

  changed(): void {
    this.store.changed();
  }

  dispose(): void {
    this.model.off("msg:custom", this.#hear);
    this.#unwatch();
    [this.#silence, this.#hello, this.#toasted].forEach(clearTimeout);
    this.commands.dispose();
    this.player.stop();
  }

  say(text: string): void {
    // The same words again would not be read: a no-break space makes them new.
    this.said = text === this.said ? `${text}\u00a0` : text;
    this.changed();
  }

  tell(text: string): void {
    clearTimeout(this.#toasted);
    this.toast = text;
    this.#toasted = setTimeout(() => {
      this.toast = "";
      this.changed();
    }, 4000);
    this.say(text);
  }

  fail(error: unknown): void {
    if (this.lost) return; // that is said already, and why nothing else goes
    const hint = error instanceof Refused ? error.hint : null;
    this.notice = { message: error instanceof Error ? error.message : String(error), hint };
    this.changed();
  }

  dismiss(): void {
    this.notice = null;
    this.changed();
  }

  /** Do what needs no answer but may fail. */
  order(order: Order): void {
    void this.request(order);
  }

  /** The answer, or null after the reader was told of the failure. */
  async request(order: Order, ...buffers: ArrayBuffer[]): Promise<Answer | null> {
    const sent = this.commands.do(order, ...buffers);
    this.changed();
    try {
      return await sent.answer;
    } catch (error) {
      this.fail(error);
      return null;
    }
  }

  /** Ask, or run; what could not be asked comes back into the composer. */
  ask(query: string): void {
    const { store, uploads } = this;
    const files = uploads.take(null);
    const frozen = store.conversation?.frozen;
    const inputs = frozen ? {} : values(store.app?.form ?? [], this.draft);
    const sent = this.commands.do({ what: "ask", query, inputs, files: files.map((file) => file.id) });
    this.asked = [...this.asked, { id: sent.id, query, files }];
    this.#dirty = false;
    this.notice = null;
    this.changed();
    const leave = () => (this.asked = this.asked.filter((each) => each.id !== sent.id));
    sent.answer.then(
      () => {
        leave();
        uploads.forget(files);
        this.say(this.t(store.queue.length ? "say.queued" : "say.sent"));
      },
      (error: unknown) => {
        leave();
        uploads.giveBack(files);
        if (query) this.text = this.text ? `${query}\n${this.text}` : query;
        this.fail(error);
      },
    );
  }

  /** Put the inputs of a run into the form, instead of what stands there. */
  async takeUp(key: string): Promise<boolean> {
    const answer = await this.request({ what: "take_up", key });
    if (!answer) return false;
    const { files, left } = answer.value as TakenValue;
    for (const field of this.store.app!.form.filter(isFile)) {
      for (const { id } of this.uploads.of(field.name)) this.uploads.remove(id);
      for (const file of files[field.name] ?? []) this.uploads.have(file, field.name);
    }
    this.#formed = "";
    this.#form();
    this.tell([this.t("taken_up"), left].filter(Boolean).join(" "));
    return true;
  }

  set(name: string, value: Draft[string]): void {
    this.draft = { ...this.draft, [name]: value };
    this.#dirty = true;
    this.changed();
  }

  readonly #hear = (message: FromKernel, buffers: DataView[] = []): void => {
    if (!message || typeof message !== "object" || typeof message.n !== "number") return;
    this.lost = false;
    if (message.kind === "heard") this.commands.heard(message);
    this.store.receive(message, () => {
      if (message.kind === "texts") {
        clearTimeout(this.#hello);
        this.#hello = undefined;
        this.#patience = PATIENCE;
      } else if (message.kind === "reply") this.commands.replied(message, buffers);
      else if (message.kind === "progress") this.uploads.progress(message);
      else if (message.kind === "sound") this.#sound(message.key, message.mime, message.last, buffers[0]);
      else if (message.kind === "state") this.#form();
      else if (message.kind === "turn" || message.kind === "turns") this.#ask();
      this.#watch();
    });
  };

  #sound(key: string, mime: string, last: boolean, piece: DataView | undefined): void {
    if (!piece || !(this.aloud ?? this.store.app?.autoplay)) return;
    this.player.piece(key, mime, last, bytes(piece))?.catch(() => this.tell(this.t("autoplay_blocked")));
  }

  /** The form shows another conversation's inputs, unless the reader is just changing these. */
  #form(): void {
    const { app, conversation } = this.store;
    if (!app || !conversation) return;
    const formed = JSON.stringify([conversation.id, conversation.inputs, app.form]);
    if (formed === this.#formed) return;
    const same = this.#formed && JSON.parse(this.#formed)[0] === conversation.id;
    this.#formed = formed;
    if (same && this.#dirty) return;
    this.#dirty = false;
    this.draft = begin(app.form, conversation.inputs, (field) => this.uploads.of(field).map((item) => item.id));
    this.changed();
  }

  /** What runs ask, where it stands in their turns. */
  #ask(): void {
    const { turns } = this.store;
    for (const view of this.#asking.keys()) {
      if (turns.some((turn) => turn.view === view)) continue;
      this.#asking.delete(view);
      this.places.set(view, []);
    }
    for (const { view, forms } of turns) {
      const told = JSON.stringify(forms);
      // Their time runs from when they were told: the same again says nothing.
      if (told === (this.#asking.get(view) ?? "[]")) continue;
      this.#asking.set(view, told);
      this.places.set(view, forms);
      this.store.feed(view).tell();
    }
  }

  #submit(view: number, place: string, action: string, inputs: Record<string, unknown>): void {
    const turn = this.store.turns.find((each) => each.view === view);
    if (!turn) return;
    const sent = this.commands.do({ what: "submit", key: turn.key, form: place, action, inputs: inputs as Record<string, string | string[]> });
    sent.answer.then(
      () => this.uploads.answered(place),
      (error: unknown) => {
        const now = this.store.turns.find((each) => each.view === view)?.forms ?? [];
        this.places.set(view, now);
        // Why it was refused stands in the form, where there still is one.
        if (!now.find((each) => each.place === place)?.error) this.fail(error);
      },
    );
    this.changed();
  }

  /** Ask for everything; again, more and more seldom, until it comes. */
  greet(wait = 1000): void {
    if (this.#hello !== undefined) return;
    this.#hello = setTimeout(() => {
      this.#hello = undefined;
      if (!this.store.texts || this.store.gap) this.greet(Math.min(PATIENCE_MOST, 2 * wait));
    }, wait);
    this.commands.do({ what: "hello", lang: [...navigator.languages], have: this.store.have });
  }

  /** A running answer is never silent for long; if it is, messages were lost, perhaps the very last. */
  #watch(): void {
    clearTimeout(this.#silence);
    if (!this.store.status.running) return;
    this.#silence = setTimeout(() => {
      this.#patience = Math.min(PATIENCE_MOST, 2 * this.#patience);
      this.greet();
      this.#watch();
    }, this.#patience);
  }

  #lose(): void {
    this.lost = true;
    this.places.end();
    this.asked = [];
    this.player.stop();
    this.commands.abandon(this.t("lost"));
    this.say(this.t("lost"));
  }
}

export const bytes = (view: DataView): Uint8Array<ArrayBuffer> =>
  new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
