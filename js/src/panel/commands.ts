// What the browser asks of the kernel: numbered commands that are heard, then replied to.
import type { FromBrowser, Heard, Problem, Reply } from "./protocol.gen";

/** Milliseconds in which a kernel that can hear has answered. */
export const ANSWER = 300;

type Without<T> = T extends unknown ? Omit<T, "kind" | "id"> : never;
/** A command as it is written in here: number and kind are added when it is sent. */
export type Order = Without<FromBrowser>;

export interface Answer {
  value: unknown;
  buffers: DataView[];
}

/** The kernel's answer to a command that could not be done. */
export class Refused extends Error {
  readonly hint: string | null;

  constructor(problem: Problem) {
    super(problem.message);
    this.hint = problem.hint;
  }
}

export class Sent {
  heard = false;
  /** Nothing was heard for a while: the kernel is busy with something else. */
  late = false;
  readonly answer: Promise<Answer>;
  resolve!: (answer: Answer) => void;
  reject!: (error: Error) => void;
  timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly id: number,
    readonly order: Order,
  ) {
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export class Commands {
  /** Commands without a reply, oldest first. */
  readonly open = new Map<number, Sent>();
  #next = Math.floor(Math.random() * 2 ** 40);

  constructor(
    private readonly send: (message: FromBrowser, buffers: ArrayBuffer[]) => void,
    private readonly changed: () => void,
  ) {}

  do(order: Order, ...buffers: ArrayBuffer[]): Sent {
    const sent = new Sent(this.#next++, order);
    // Whoever wants to know of a failure looks at the answer; others must not make noise in the page's log.
    sent.answer.catch(() => {});
    this.open.set(sent.id, sent);
    sent.timer = setTimeout(() => {
      sent.late = true;
      this.changed();
    }, ANSWER);
    this.send({ kind: "do", id: sent.id, ...order } as FromBrowser, buffers);
    return sent;
  }

  heard({ id }: Heard): void {
    const sent = this.open.get(id);
    if (!sent || sent.heard) return;
    sent.heard = true;
    clearTimeout(sent.timer);
    if (sent.late) {
      sent.late = false;
      this.changed();
    }
  }

  replied(reply: Reply, buffers: DataView[]): void {
    const sent = this.open.get(reply.id);
    if (!sent) return;
    this.heard({ ...reply, kind: "heard" });
    this.open.delete(reply.id);
    if (reply.ok) sent.resolve({ value: reply.value, buffers });
    else sent.reject(new Refused(reply.error ?? { message: "", hint: null }));
    this.changed();
  }

  /** Commands of that kind that nobody has heard for a while. */
  late(what: Order["what"]): Sent[] {
    return [...this.open.values()].filter((sent) => sent.late && sent.order.what === what);
  }

  /** The kernel is gone: nothing that is open will be answered. */
  abandon(message: string): void {
    for (const sent of this.open.values()) {
      clearTimeout(sent.timer);
      sent.reject(new Refused({ message, hint: null }));
    }
    this.open.clear();
    this.changed();
  }

  dispose(): void {
    for (const sent of this.open.values()) clearTimeout(sent.timer);
    this.open.clear();
  }
}
