// Where forms are shown: elements of a class, in the page and in shadow roots, each filled in by a shadow root of its own.
// Without one, or when the form has ended, the element's own content is seen: the form as the notebook keeps it.
import type { FormField, FormState } from "./protocol.gen";
import { type Draft, type FileControl, FORM_STYLE, FormView, PLACE_STYLE } from "./form";

export interface PlaceHooks {
  css(): string;
  submit(owner: number, form: string, action: string, inputs: Record<string, unknown>): void;
  file?(field: FormField, state: FormState): FileControl;
}

interface Shown {
  place: string;
  view: FormView;
}

/** The outermost element of a saved form (views/saved.py). */
const OUTPUT = ".mathjax_ignore";
const KEYS = ["keydown", "keypress", "keyup"];

export class FormPlaces {
  private readonly known = new Map<string, { owner: number; state: FormState; told: number }>();
  private readonly drafts = new Map<string, Draft>();
  private readonly shown = new Map<Element, Shown>();

  constructor(private readonly hooks: PlaceHooks) {}

  /** Whether there is any form. */
  get any(): boolean {
    return this.known.size > 0;
  }

  /** All forms that this owner (a view, a message) has now. */
  set(owner: number, forms: FormState[]): void {
    for (const [place, had] of this.known) {
      if (had.owner === owner && !forms.some((form) => form.place === place)) this.known.delete(place);
    }
    for (const state of forms) this.known.set(state.place, { owner, state, told: Date.now() });
    for (const [el, { place, view }] of this.shown) {
      const now = this.known.get(place);
      if (!now) this.close(el);
      else if (now.owner === owner) view.update(now.state);
    }
    for (const place of this.drafts.keys()) if (!this.known.has(place)) this.drafts.delete(place);
  }

  /** Fill in the places of forms below `root` that are not. */
  show(root: ParentNode): void {
    for (const [place, { state, told, owner }] of this.known) {
      if (state.status === "done") continue;
      for (const el of root.querySelectorAll<HTMLElement>(`.${CSS.escape(place)}`)) {
        if (this.shown.get(el)?.place !== place) this.open(el, place, state, told, owner);
      }
    }
    for (const [el, { view }] of this.shown) {
      if (el.isConnected) continue;
      view.remove();
      this.shown.delete(el);
    }
  }

  /** The outputs of the page, as the notebook keeps them, in which a form of this owner stands. */
  outputs(owner: number): HTMLElement[] {
    const found = new Set<HTMLElement>();
    for (const [el, { place }] of this.shown) {
      const mine = this.known.get(place)?.owner === owner && el.getRootNode() === el.ownerDocument;
      if (mine) found.add(el.closest<HTMLElement>(OUTPUT) ?? (el as HTMLElement));
    }
    return [...found];
  }

  /**
   * The kernel has ended: every form says so, and below it the content of its place is seen again, in its own box. Where
   * something was typed, it can still be read and copied.
   */
  end(): void {
    for (const [el, { view, place }] of this.shown) {
      view.end(!this.drafts.get(place)?.values.size);
      el.shadowRoot?.querySelector(".place")?.remove();
      el.shadowRoot?.append(el.ownerDocument.createElement("slot"));
    }
    this.known.clear();
    this.drafts.clear();
    this.shown.clear();
  }

  private open(el: HTMLElement, place: string, state: FormState, told: number, owner: number): void {
    this.shown.get(el)?.view.remove();
    const doc = el.ownerDocument;
    const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
    const host = doc.createElement("style");
    host.className = "place";
    host.textContent = PLACE_STYLE;
    const style = doc.createElement("style");
    style.textContent = this.hooks.css() + FORM_STYLE;
    const draft = this.drafts.get(place) ?? { values: new Map<string, string>(), focus: null };
    this.drafts.set(place, draft);
    const left = state.left === null ? null : state.left - (Date.now() - told) / 1000;
    const { file } = this.hooks;
    const view = new FormView(doc, { ...state, left }, draft, {
      submit: (action, inputs) => this.hooks.submit(this.known.get(place)?.owner ?? owner, place, action, inputs),
      ...(file && { file }),
    });
    root.replaceChildren(host, style, view.el);
    // Keys typed in here are not the notebook's commands.
    for (const name of KEYS) root.addEventListener(name, (event) => event.stopPropagation());
    el.dataset["lmSuppressShortcuts"] = "true";
    this.shown.set(el, { place, view });
    view.resume();
  }

  private close(el: Element): void {
    this.shown.get(el)?.view.remove();
    this.shown.delete(el);
    el.shadowRoot?.replaceChildren(el.ownerDocument.createElement("slot"));
  }
}
