// All views of one kernel: sorts messages to feeds, and gives each place in the page the feed that it shows.
import type { FormState, FromBrowser, FromKernel, Open, Submit } from "./protocol.gen";
import { Feed } from "./feed";
import { inflate } from "./inflate";

/** Milliseconds of silence after which the kernel is asked; doubled with every question. */
const PATIENCE = 3000;
const PATIENCE_MOST = 60000;
/** Questions about a view that ended: the place that shows it may be one that nothing can replace. */
const ASK_MOST = 6;
/** Milliseconds between two questions to a kernel that can answer at once. */
const AGAIN = 1000;

/** The message that `pack` in dify_notebook/live/protocol.py made this of. */
export async function unpack(packed: string): Promise<FromKernel> {
  return (await inflate(packed).json()) as FromKernel;
}

/** What holds the forms of all views. */
export interface FormHolder {
  set(view: number, forms: FormState[]): void;
  /** The view has begun, perhaps again. */
  began(feed: Feed): void;
}

export class Hub {
  private readonly feeds = new Map<number, Feed>();
  /** Places without an open feed; true for those that show an ended one for want of a better. */
  private readonly waiting = new Map<(feed: Feed) => void, boolean>();
  private readonly queue: (FromKernel | Promise<FromKernel | null>)[] = [];
  private patience = PATIENCE;
  private asked = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Of views with a form whose answer was sent, and of which nothing more was heard. */
  private readonly unsure = new Map<number, ReturnType<typeof setTimeout>>();

  constructor(
    readonly send: (message: FromBrowser) => void,
    private readonly say: (text: string) => void,
    private readonly forms: FormHolder,
  ) {}

  /** Send the answer to a form; if nothing is heard of it, ask, a few times. */
  submit(message: Submit): void {
    this.send(message);
    this.expect(message.view, PATIENCE);
  }

  /** Take a message from the kernel; they are handled in the order in which they come. */
  receive(message: FromKernel): void {
    // Unpacking waits, and what comes meanwhile must wait behind it.
    if (message && "packed" in message) this.queue.push(unpack(message.packed).catch(() => null));
    else if (this.queue.length) this.queue.push(message);
    else this.hear(message);
    if (this.queue.length === 1) void this.drain();
  }

  private async drain(): Promise<void> {
    for (; this.queue.length; this.queue.shift()) this.hear(await this.queue[0]!);
  }

  /** Handle a message; anything unknown is passed over. */
  hear(message: FromKernel | null): void {
    if (typeof message?.view !== "number") return;
    let feed = this.feeds.get(message.view);
    if (feed?.open !== false) this.patience = PATIENCE;
    if ("ops" in message) {
      feed ??= this.add(message.view, true);
      if (message.open) this.begin(feed, message.open);
      feed.take(message);
      if (message.say) this.say(message.say);
      if (feed.stale && !feed.blocking && Date.now() - this.asked > AGAIN) this.ask(feed);
    } else if (!("kind" in message)) {
      return;
    } else if (message.kind === "open") {
      feed ??= this.add(message.view, false);
      this.begin(feed, message);
      this.sure(message.view);
    } else if (message.kind === "forms") {
      this.forms.set(message.view, message.forms);
      if (message.forms.every(({ status }) => status !== "sending")) this.sure(message.view);
      if (feed && !message.running) feed.open = false;
      this.drop();
    } else if (message.kind === "close") {
      if (feed) feed.open = false;
      this.forms.set(message.view, []);
      this.sure(message.view);
      this.drop();
    } else if (message.kind === "heard") {
      feed?.heard?.();
    }
    feed?.tell();
    this.watch();
  }

  /**
   * Give a place in the page its feed: the oldest open one that no place shows, else the newest open one.
   * Without an open one it waits, and meanwhile shows the last that ended: `use` may be called again.
   */
  claim(use: (feed: Feed) => void): () => void {
    const feeds = [...this.feeds.values()];
    const open = feeds.filter((feed) => feed.open);
    const feed = open.find((each) => !each.claimed) ?? open.at(-1);
    const last = feed ?? feeds.at(-1);
    if (!feed) this.waiting.set(use, !!last);
    if (last) {
      last.claimed = true;
      use(last);
    }
    return () => this.waiting.delete(use);
  }

  /** Whether there is nothing to show, or something of which the beginning is missing. */
  lacking(): boolean {
    return !this.feeds.size || [...this.feeds.values()].some((feed) => feed.open && !feed.root);
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const view of [...this.unsure.keys()]) this.sure(view);
    this.feeds.clear();
    this.waiting.clear();
  }

  /** A new feed. If its `open` was lost, a place may show an ended feed in its stead. */
  private add(view: number, lost: boolean): Feed {
    const feed = new Feed(view);
    this.feeds.set(view, feed);
    for (const [use, shows] of this.waiting) {
      if (shows && !lost) continue;
      this.waiting.delete(use);
      feed.claimed = true;
      use(feed);
    }
    return feed;
  }

  /** Forget closed feeds that nobody looks at; the newest stays, for a place that comes late. */
  private drop(): void {
    const last = [...this.feeds.keys()].at(-1);
    for (const feed of this.feeds.values()) {
      if (!feed.open && !feed.watchers.size && feed.view !== last) this.feeds.delete(feed.view);
    }
  }

  private ask(feed: Feed): void {
    this.asked = Date.now();
    this.send({ kind: "hello", view: feed.view, seq: feed.have });
  }

  private begin(feed: Feed, open: Open): void {
    const first = !feed.open || !feed.labels;
    feed.begin(open);
    if (first) this.forms.began(feed);
  }

  private expect(view: number, patience: number): void {
    this.sure(view);
    if (patience > PATIENCE_MOST) return;
    const ask = () => {
      this.send({ kind: "hello", view, seq: 0 });
      this.expect(view, 2 * patience);
    };
    this.unsure.set(view, setTimeout(ask, patience));
  }

  private sure(view: number): void {
    clearTimeout(this.unsure.get(view));
    this.unsure.delete(view);
  }

  /**
   * An open view is never silent for long, and one that ended is soon replaced in the page.
   * If it is not so, messages were lost, perhaps the very last: ask, more and more seldom.
   */
  private watch(): void {
    clearTimeout(this.timer);
    const lacking = [...this.feeds.values()].filter((feed) => feed.open || (feed.watchers.size && feed.asked < ASK_MOST));
    if (!lacking.length) return;
    this.timer = setTimeout(() => {
      for (const feed of lacking) {
        if (!feed.open) feed.asked++;
        if (feed.open || feed.watchers.size) this.ask(feed);
      }
      this.patience = Math.min(PATIENCE_MOST, 2 * this.patience);
      this.watch();
    }, this.patience);
  }
}
