// The forms of one kernel in a page: found in the outputs that the notebook draws, also when it draws them anew.
import type { Feed } from "./feed";
import type { Mount } from "./mount";
import type { FormState, Submit } from "./protocol.gen";
import { FormPlaces } from "./places";

/** Milliseconds in which a page that knows an output has replaced it. */
const REPLACED = 700;
/** Milliseconds between a change of the page and a look for places of forms. */
const LOOK = 16;

export class PageForms {
  readonly places: FormPlaces;
  private readonly observer: MutationObserver;
  private readonly timers = new Set<ReturnType<typeof setTimeout>>();
  private looking = false;

  constructor(
    private readonly doc: Document,
    css: () => string,
    submit: (message: Submit) => void,
    private readonly mountIn: (el: HTMLElement, feed: Feed) => Mount,
  ) {
    this.places = new FormPlaces({
      css,
      submit: (view, form, action, inputs) =>
        submit({ kind: "submit", view, form, action, inputs: inputs as Record<string, string> }),
    });
    this.observer = new MutationObserver(() => this.places.any && this.look());
    this.observer.observe(doc.body, { childList: true, subtree: true });
  }

  set(view: number, forms: FormState[]): void {
    this.places.set(view, forms);
    this.look();
  }

  /**
   * A run goes on. The kernel replaces the output in which its form stands; a page that was loaded since then knows the
   * output no more, and lets it be: there what comes is shown in its place.
   */
  began(feed: Feed): void {
    const outputs = this.places.outputs(feed.view);
    if (!outputs.length) return;
    this.later(REPLACED, () => {
      for (const el of outputs) if (el.isConnected) this.mountIn(el, feed);
    });
  }

  dispose(): void {
    this.observer.disconnect();
    for (const timer of this.timers) clearTimeout(timer);
    this.places.end();
  }

  /** Look for places, once for many changes. (Not in a frame: a page that nobody sees has none.) */
  private look(): void {
    if (this.looking) return;
    this.looking = true;
    this.later(LOOK, () => {
      this.looking = false;
      this.places.show(this.doc);
    });
  }

  private later(wait: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, wait);
    this.timers.add(timer);
  }
}
