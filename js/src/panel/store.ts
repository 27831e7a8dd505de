// What the kernel said, as the panel shows it. The kernel owns the truth: nothing in here is decided by the browser.
import { unpack } from "../hub";
import { Feed } from "../feed";
import type { Patch } from "../protocol.gen";
import type { App, Conversation, Conversations, FromKernel, Queued, Status, TurnMeta, Variables } from "./protocol.gen";

export class Store {
  lang: "en" | "zh-Hans" = "en";
  texts: Record<string, string> | null = null;
  height = 640;
  kept = "";
  app: App | null = null;
  conversation: Conversation | null = null;
  conversations: Conversations | null = null;
  variables: Variables | null = null;
  queue: Queued[] = [];
  status: Status = { running: null, stopping: false, connected: false, error: null };
  turns: TurnMeta[] = [];
  /** Number of the last message; 0 before the first. */
  have = 0;
  /** Messages were missed, and no whole picture has come since. */
  gap = false;
  readonly #feeds = new Map<number, Feed>();
  readonly #watchers = new Set<() => void>();
  readonly #queue: [FromKernel, Promise<unknown> | false, (() => void) | undefined][] = [];

  constructor(
    /** Called when the kernel should tell everything again. */
    private readonly lost: () => void,
    private readonly say: (text: string) => void,
  ) {}

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The feed of a turn's blocks; made when it is first asked for, by whoever comes first. */
  feed(view: number): Feed {
    let feed = this.#feeds.get(view);
    if (!feed) this.#feeds.set(view, (feed = new Feed(view)));
    return feed;
  }

  /** Whether the app is run, and not talked with. */
  get runs(): boolean {
    return this.app?.offers.asks === "run";
  }

  /** The label of that key, in the words of an app that is run where it has its own, with `{name}` replaced by the values. */
  readonly t = (key: string, values: Record<string, string | number> = {}): string => {
    const template = (this.runs && this.texts?.[`run.${key}`]) || (this.texts?.[key] ?? key);
    return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  };

  /**
   * Take a message; they are handled in the order in which they come. What does not stand for itself is left out while
   * something before it is missing. `then` is called when it was handled.
   */
  receive(message: FromKernel, then?: () => void): void {
    if (message.kind !== "texts" && message.n !== this.have + 1) this.#miss();
    this.have = message.n;
    const packed = message.kind === "patch" && "packed" in message.patch ? message.patch.packed : null;
    // Unpacking waits, and what comes meanwhile must wait behind it.
    if (packed !== null || this.#queue.length) {
      this.#queue.push([message, packed !== null && unpack(packed).catch(() => null), then]);
      if (this.#queue.length === 1) void this.#drain();
    } else this.#handle(message, then);
  }

  changed(): void {
    for (const watcher of this.#watchers) watcher();
  }

  #miss(): void {
    this.gap = true;
    this.lost();
  }

  #handle(message: FromKernel, then?: () => void): void {
    if (message.kind === "patch") this.#apply(message.patch as Patch);
    else if (this.#take(message)) this.changed();
    then?.();
  }

  /** Whether something on show changed. */
  #take(message: FromKernel): boolean {
    switch (message.kind) {
      case "texts":
        this.gap = false;
        ({ lang: this.lang, texts: this.texts, height: this.height, kept: this.kept } = message);
        return true;
      case "state":
        Object.assign(this, { [message.part]: message.value });
        return true;
      case "turns":
        if (message.where === "all") {
          this.turns = message.items;
          const shown = new Set(this.turns.map((turn) => turn.view));
          for (const view of this.#feeds.keys()) if (!shown.has(view)) this.#feeds.delete(view);
        } else if (!this.gap) {
          const known = new Set(this.turns.map((turn) => turn.key));
          this.turns = [...message.items.filter((turn) => !known.has(turn.key)), ...this.turns];
        }
        return true;
      case "turn":
        this.#put(message.item);
        return true;
      default:
        return false;
    }
  }

  #put(item: TurnMeta): void {
    const at = this.turns.findIndex((turn) => turn.key === item.key);
    const before = this.turns[at];
    this.turns = at < 0 ? [...this.turns, item] : this.turns.with(at, item);
    if (item.say && item.say !== before?.say) this.say(item.say);
  }

  async #drain(): Promise<void> {
    for (; this.#queue.length; this.#queue.shift()) {
      const [message, unpacked, then] = this.#queue[0]!;
      if (unpacked) {
        this.#apply((await unpacked) as Patch | null);
        then?.();
      } else this.#handle(message, then);
    }
  }

  #apply(patch: Patch | null): void {
    if (!patch) {
      this.#miss();
      return;
    }
    const feed = this.feed(patch.view);
    feed.take(patch);
    if (patch.say) this.say(patch.say);
    // One that was heard before, and is told again, misses nothing.
    if (feed.stale && patch.seq > feed.have) this.#miss();
    feed.tell();
  }
}
