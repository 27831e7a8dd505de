// Where the reader is in the transcript: at its end, which is then followed, or anywhere else, which then stays.

/** Pixels from the end that still count as the end. */
const NEAR = 48;
/** Milliseconds that a smooth way to the end may take. */
const GLIDE = 600;
const STILL = "(prefers-reduced-motion: reduce)";

export class Follow {
  /** Whether the end is followed. */
  end = true;
  readonly #observer: ResizeObserver;
  #on = true;
  #last = 0;
  #glide: ReturnType<typeof setTimeout> | undefined;
  #held: { el: HTMLElement; top: number } | null = null;
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

  /** Before something is put above: remember what the reader sees. */
  keep(): void {
    const line = this.#scroller.getBoundingClientRect().top;
    for (const el of this.#scroller.querySelectorAll<HTMLElement>("[data-turn]")) {
      const { top, bottom } = el.getBoundingClientRect();
      if (bottom > line) {
        this.#held = { el, top };
        return;
      }
    }
  }

  /** After it was put: show the same at the same place. */
  restore(): void {
    if (!this.#held?.el.isConnected) return;
    const moved = this.#held.el.getBoundingClientRect().top - this.#held.top;
    if (moved) this.#scroller.scrollTop += moved;
    this.#held = null;
  }

  #land(): void {
    clearTimeout(this.#glide);
    this.#glide = undefined;
    this.#settle();
  }

  #settle(): void {
    if (this.end && this.#on && this.#glide === undefined) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  readonly #scrolled = (): void => {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    const left = scrollHeight - scrollTop - clientHeight;
    const up = scrollTop < this.#last;
    this.#last = scrollTop;
    if (left <= 2 || (left < NEAR && !up)) this.#set(true);
    else if (this.#glide === undefined || up) this.#set(false);
  };

  readonly #wheeled = (event: WheelEvent): void => {
    // Upwards by hand counts at once, even while the end is being followed.
    if (event.deltaY < 0 && this.#scroller.scrollTop > 0) this.#set(false);
  };

  #set(end: boolean): void {
    if (end === this.end) return;
    this.end = end;
    this.changed(end);
  }
}
