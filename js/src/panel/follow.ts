// Where the reader is in the transcript: at its end, which is then followed, or anywhere else, which then stays.

/** Pixels from the end that still count as the end. */
const NEAR = 48;

export class Follow {
  /** Whether the end is followed. */
  end = true;
  readonly #observer: ResizeObserver;
  #on = true;
  #held: { el: HTMLElement; top: number } | null = null;

  constructor(
    private readonly scroller: HTMLElement,
    content: HTMLElement,
    private readonly changed: (end: boolean) => void,
  ) {
    this.#observer = new ResizeObserver(() => this.#settle());
    this.#observer.observe(content);
    this.#observer.observe(scroller);
    scroller.addEventListener("scroll", this.#scrolled, { passive: true });
    scroller.addEventListener("wheel", this.#wheeled, { passive: true });
  }

  dispose(): void {
    this.#observer.disconnect();
    this.scroller.removeEventListener("scroll", this.#scrolled);
    this.scroller.removeEventListener("wheel", this.#wheeled);
  }

  toEnd(smooth = false): void {
    this.#set(true);
    const top = this.scroller.scrollHeight;
    // Smooth over a short way only: over a long one it takes too long.
    if (smooth && top - this.scroller.scrollTop < 4 * this.scroller.clientHeight) {
      this.scroller.scrollTo({ top, behavior: "smooth" });
    } else this.scroller.scrollTop = top;
  }

  /** Whether there is an end to follow at all. */
  enable(on: boolean): void {
    this.#on = on;
    if (on) this.toEnd();
    else this.scroller.scrollTop = 0;
  }

  /** Before something is put above: remember what the reader sees. */
  keep(): void {
    const line = this.scroller.getBoundingClientRect().top;
    for (const el of this.scroller.querySelectorAll<HTMLElement>("[data-turn]")) {
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
    if (moved) this.scroller.scrollTop += moved;
    this.#held = null;
  }

  #settle(): void {
    if (this.end && this.#on) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  readonly #scrolled = (): void => {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.#set(scrollHeight - scrollTop - clientHeight < NEAR);
  };

  readonly #wheeled = (event: WheelEvent): void => {
    // Upwards by hand counts at once, even while the end is being followed.
    if (event.deltaY < 0 && this.scroller.scrollTop > 0) this.#set(false);
  };

  #set(end: boolean): void {
    if (end === this.end) return;
    this.end = end;
    this.changed(end);
  }
}
