// One view as the kernel tells it: its state, whether it is behind, and who looks at it.
import type { Block, Labels, Open, Patch } from "./protocol.gen";
import { apply } from "./tree";

export class Feed {
  root: Block | null = null;
  /** Number of the state that `root` is; 0 before anything came. */
  have = 0;
  /** Patches were missed, and no repair has come yet. */
  stale = false;
  open = true;
  blocking = true;
  labels: Labels | null = null;
  /** Whether some place in the page shows it. */
  claimed = false;
  /** How often the kernel was asked since it ended. */
  asked = 0;
  readonly watchers = new Set<() => void>();
  /** Called once when the kernel has heard a stop. */
  heard: (() => void) | null = null;

  constructor(readonly view: number) {}

  begin({ blocking, labels }: Open): void {
    // A view that ended and goes on stands in another place of the page.
    if (!this.open) this.claimed = false;
    this.open = true;
    this.blocking = blocking;
    this.labels = labels;
  }

  /** Take a patch if it fits the state that we have, a repair if it covers it. */
  take(message: Patch): void {
    const { seq, base, ops } = message;
    if (base !== 0 && seq <= this.have) return;
    if (base === 0 ? seq < this.have : base === undefined ? seq !== this.have + 1 : base > this.have) {
      if (base !== 0) this.stale = true;
      return;
    }
    try {
      this.root = apply(this.root, ops);
      this.have = seq;
      this.stale = false;
    } catch {
      // It claimed to fit and did not: only a whole tree can be trusted now.
      this.have = 0;
      this.stale = true;
    }
  }

  tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}
