// Where the reader is in the transcript: at its end, which is then followed, or anywhere else, which then stays.

/** Pixels from the end that still count as the end. */
const NEAR = 48;
/** Milliseconds that a smooth way to the end may take. */
const GLIDE = 600;
/** Pixels of a turn in sight from which it counts as read. */
const SEEN = 80;
const STILL = "(prefers-reduced-motion: reduce)";

const topOf = (el: Element): number => el.getBoundingClientRect().top;

export class Follow {
  /** Whether the end is followed. */
  end = true;
  readonly #observer: ResizeObserver;
  #on = true;
  #last = 0;
  #glide: ReturnType<typeof setTimeout> | undefined;
  /** What the reader sees at the top, and how far under the scroller's edge it begins. */
  #held: Element | null = null;
  #top = 0;
  readonly #scroller: HTMLElement;
  readonly #gone = new AbortController();

  constructor(
    scroller: HTMLElement,
    content: HTMLElement,
    private readonly changed: (end: boolean) => void,
  ) {
    this.#scroller = scroller;
    this.#observer = new ResizeObserver(() => this.#settle());
    this.#observer.observe(content);
    this.#observer.observe(scroller);
    const options = { passive: true, signal: this.#gone.signal };
    scroller.addEventListener("scroll", this.#scrolled, options);
    scroller.addEventListener("wheel", this.#wheeled, options);
  }

  dispose(): void {
    clearTimeout(this.#glide);
    this.#observer.disconnect();
    this.#gone.abort();
  }

  toEnd(smooth = false): void {
    const scroller = this.#scroller;
    const top = scroller.scrollHeight;
    this.#set(true);
    // Smooth over a short way only: over a long one it takes too long.
    if (smooth && top - scroller.scrollTop < 4 * scroller.clientHeight && !matchMedia(STILL).matches) {
      clearTimeout(this.#glide);
      this.#glide = setTimeout(() => this.#land(), GLIDE);
      scroller.scrollTo({ top, behavior: "smooth" });
    } else this.#land();
  }

  /** Whether there is an end to follow at all. */
  enable(on: boolean): void {
    this.#on = on;
    if (on) this.toEnd();
    else this.#scroller.scrollTop = 0;
  }

  /** Remember what the reader sees at the top, and where: the turn, and of a long one its part. */
  keep(): void {
    this.#held = null;
    const line = topOf(this.#scroller);
    for (const el of this.#scroller.querySelectorAll("[data-turn],.dn-part")) {
      const { top, bottom } = el.getBoundingClientRect();
      if (bottom < line + SEEN) continue;
      if (this.#held && top > line) return;
      this.#held = el;
      this.#top = top - line;
    }
  }

  /** After something above it has changed: show the same at the same place. (Chromium and Firefox do by themselves, mostly.) */
  restore(): void {
    if (!this.#held?.isConnected) return;
    const moved = topOf(this.#held) - topOf(this.#scroller) - this.#top;
    if (moved) this.#scroller.scrollTop += moved;
  }

  #land(): void {
    clearTimeout(this.#glide);
    this.#glide = undefined;
    this.#settle();
  }

  #settle(): void {
    if (!this.end) this.restore();
    else if (this.#on && this.#glide === undefined) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  readonly #scrolled = (): void => {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const left = scrollHeight - scrollTop - clientHeight;
    const up = scrollTop < this.#last;
    this.#last = scrollTop;
    if (left <= 2 || (left < NEAR && !up)) this.#set(true);
    else if (this.#glide === undefined || up) this.#set(false);
    if (!this.end) this.keep();
  };

  readonly #wheeled = (event: WheelEvent): void => {
    // Upwards by hand counts at once, even while the end is being followed.
    if (event.deltaY < 0 && this.#scroller.scrollTop > 0) this.#set(false);
  };

  #set(end: boolean): void {
    if (end === this.end) return;
    this.#held = null;
    this.end = end;
    this.changed(end);
  }
}
