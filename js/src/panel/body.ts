// The blocks of one turn on the page.
import { create, update, watchDetails } from "../draw";
import type { Feed } from "../feed";
import type { Block } from "../protocol.gen";
import { limit, parts } from "./slices";

/** Drawing rests this many times what it last took, so that the page stays usable. */
const COST_FACTOR = 3;
/** Weight of the first slice of a long answer, and of each one after it at least and at most. */
const SLICE = 250;
const SLICE_LEAST = 60;
const SLICE_MOST = 1500;
/** Milliseconds that a slice, with the page's layout of it, may take. */
const FRAME = 24;

export class Body {
  #shown: Block | null = null;
  #el: Element | null = null;
  #pending = false;
  #gone = false;
  #free = 0;
  #budget = SLICE;
  #slice = SLICE;
  #last = 0;
  readonly #watcher = () => this.#schedule();

  constructor(
    private readonly place: HTMLElement,
    private readonly feed: Feed,
    /** Called after each drawing. */
    private readonly drawn: () => void = () => undefined,
  ) {
    watchDetails(place);
    feed.watchers.add(this.#watcher);
    this.#draw();
  }

  dispose(): void {
    this.#gone = true;
    this.feed.watchers.delete(this.#watcher);
  }

  #schedule(): void {
    if (this.#pending || this.#gone) return;
    this.#pending = true;
    const frame = () => requestAnimationFrame(() => this.#draw());
    const rest = this.#free - performance.now();
    if (rest > 16) setTimeout(frame, rest);
    else frame();
  }

  #draw(): void {
    this.#pending = false;
    if (this.#gone || !this.feed.root) return;
    const begun = performance.now();
    const root = parts(this.feed.root);
    const part = limit(root, this.#budget);
    if (part !== this.#shown) {
      if (this.#el && this.#shown) this.#el = update(this.#el, this.#shown, part);
      else this.place.append((this.#el = create(this.place.ownerDocument, part)));
      this.#shown = part;
    }
    this.drawn();
    this.place.toggleAttribute("data-stale", this.feed.stale);
    if (part !== root) this.#grow(begun);
    const ended = performance.now();
    this.#free = part === root ? ended + COST_FACTOR * (ended - begun) : ended;
  }

  /** More of it in the next frame; how much depends on how long the last took, layout and all. */
  #grow(now: number): void {
    if (this.#last && now - this.#last > 2 * FRAME) this.#slice = Math.max(SLICE_LEAST, this.#slice / 2);
    else if (this.#last && now - this.#last < FRAME) this.#slice = Math.min(SLICE_MOST, this.#slice * 1.5);
    this.#last = now;
    this.#budget += this.#slice;
    this.#schedule();
  }
}
