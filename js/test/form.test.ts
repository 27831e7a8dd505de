import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Countdown } from "../src/countdown";
import { FormPlaces } from "../src/places";
import type { FormField, FormLabels, FormState } from "../src/protocol.gen";

const labels: FormLabels = {
  lang: "en",
  required: "(required)",
  choose: "Choose",
  missing: "{name} needs a value.",
  expires: "Expires {time}",
  expired: "It has expired.",
  sending: "Sending",
  silent: "The kernel is busy.",
  gone: "The kernel has ended.",
};
const field = (name: string, more: Partial<FormField> = {}): FormField => ({
  name,
  control: "area",
  label: `field ${name}`,
  value: "",
  options: [],
  required: true,
  note: "",
  ...more,
});
const state = (more: Partial<FormState> = {}): FormState => ({
  place: "dn-kept-form-1",
  status: "waiting",
  title: "Ask",
  parts: [{ blocks: [["0", "p", {}, "May I <em>go</em>?"]], field: field("0", { value: "my note" }) }],
  actions: [
    { id: "0", title: "Yes", style: "primary" },
    { id: "1", title: "No", style: "default" },
  ],
  left: 600,
  labels,
  error: "",
  ...more,
});
const choice = field("1", { control: "choice", options: ["x", "y"] });

let sent: unknown[][];
let places: FormPlaces;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.replaceChildren();
  sent = [];
  places = new FormPlaces({ css: () => "", submit: (...args) => sent.push(args) });
});
afterEach(() => {
  places.set(1, []);
  places.set(2, []);
  vi.useRealTimers();
});

const place = (name = "dn-kept-form-1"): HTMLElement => {
  const el = document.createElement("div");
  el.className = `dn-note ${name}`;
  el.textContent = "as the notebook keeps it";
  document.body.append(el);
  return el;
};
const tell = (...forms: FormState[]): void => {
  places.set(1, forms);
  places.show(document);
};
const inside = (el: Element, selector: string): HTMLElement => el.shadowRoot!.querySelector<HTMLElement>(selector)!;
const button = (el: Element, id: string): HTMLElement => inside(el, `[data-action="${id}"]`);
const type = (el: Element, text: string, selector = "textarea"): void => {
  const control = inside(el, selector) as HTMLTextAreaElement;
  control.value = text;
  control.dispatchEvent(new Event("input"));
};

describe("a form", () => {
  it("stands in its place, and sends once what was chosen and typed", () => {
    const el = place();
    tell(state());
    expect(inside(el, "p").innerHTML).toBe("May I <em>go</em>?");
    type(el, "typed");
    button(el, "1").click();
    button(el, "0").click();
    expect(sent).toEqual([[1, "dn-kept-form-1", "1", { "0": "typed" }]]);
    expect(button(el, "1").getAttribute("aria-disabled")).toBe("true");
    expect(inside(el, ".state").textContent).toBe("Sending");
    vi.advanceTimersByTime(3000);
    expect(inside(el, ".state").textContent).toBe("The kernel is busy.");
  });

  it("keeps what was typed when it is refused, says why, and can be sent again", () => {
    const el = place();
    tell(state());
    type(el, "typed");
    button(el, "0").click();
    tell(state({ error: "Not like this." }));
    expect(inside(el, "[role=alert]").textContent).toBe("Not like this.");
    expect((inside(el, "textarea") as HTMLTextAreaElement).value).toBe("typed");
    button(el, "0").click();
    expect(inside(el, "[role=alert]").textContent).toBe("");
    expect(sent.length).toBe(2);
  });

  it("asks for a choice that is missing before anything is sent, and leaves out what has no value", () => {
    const el = place();
    tell(state({ parts: [{ blocks: [], field: choice }, { blocks: [], field: { ...choice, name: "2", required: false } }] }));
    button(el, "0").click();
    expect(sent).toEqual([]);
    expect(inside(el, ".problem").textContent).toBe("field 1 needs a value.");
    expect(inside(el, "select").getAttribute("aria-invalid")).toBe("true");
    expect(el.shadowRoot!.activeElement).toBe(inside(el, "select"));
    const select = inside(el, "select") as HTMLSelectElement;
    expect([...select.options].map(({ text }) => text)).toEqual(["Choose", "x", "y"]);
    type(el, "1", "select");
    expect(inside(el, ".problem").textContent).toBe("");
    button(el, "0").click();
    expect(sent).toEqual([[1, "dn-kept-form-1", "0", { "1": "1" }]]);
  });

  it("names its controls, and says what is required and what is to be known", () => {
    const el = place();
    tell(state({ parts: [{ blocks: [], field: field("0", { note: "By Python." }) }] }));
    const control = inside(el, "textarea");
    expect(inside(el, "label").getAttribute("for")).toBe(control.id);
    expect(inside(el, "label").textContent).toBe("field 0 (required)");
    const about = control.getAttribute("aria-describedby")!.split(" ");
    expect(about.map((id) => inside(el, `#${id}`).className)).toEqual(["problem", "hint"]);
    expect(inside(el, ".form").getAttribute("aria-labelledby")).toBe(inside(el, ".title").id);
  });

  it("takes Ctrl+Enter for the one action that is plainly meant, and Enter for none", () => {
    const el = place();
    const press = (init: KeyboardEventInit) =>
      inside(el, "textarea").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...init }));
    tell(state());
    press({});
    press({ ctrlKey: true, isComposing: true });
    expect(sent).toEqual([]);
    press({ ctrlKey: true });
    expect(sent).toEqual([[1, "dn-kept-form-1", "0", { "0": "my note" }]]);
    tell(state({ place: "dn-kept-form-2", actions: [{ id: "0", title: "A", style: "default" }, { id: "1", title: "B", style: "default" }] }));
    const other = place("dn-kept-form-2");
    places.show(document);
    inside(other, "textarea").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true }));
    expect(sent.length).toBe(1);
  });

  it("keeps its keys from the page", () => {
    const el = place();
    tell(state());
    const heard: string[] = [];
    document.body.addEventListener("keydown", (event) => heard.push((event as KeyboardEvent).key), { once: true });
    inside(el, "textarea").dispatchEvent(new KeyboardEvent("keydown", { key: "d", bubbles: true, composed: true }));
    expect(heard).toEqual([]);
  });

  it("takes a file by a control of whoever can send one, else keeps what stands there", () => {
    const file = field("0", { control: "file", value: "old.pdf" });
    const el = place();
    tell(state({ parts: [{ blocks: [], field: file }] }));
    button(el, "0").click();
    expect(sent.pop()).toEqual([1, "dn-kept-form-1", "0", { "0": "old.pdf" }]);
    const upload = { el: document.createElement("div"), value: () => ({ id: 7 }) };
    const panel = new FormPlaces({ css: () => "", submit: (...args) => sent.push(args), file: () => upload });
    const other = place("dn-kept-form-9");
    panel.set(1, [state({ place: "dn-kept-form-9", parts: [{ blocks: [], field: file }] })]);
    panel.show(document);
    button(other, "0").click();
    expect(sent.pop()).toEqual([1, "dn-kept-form-9", "0", { "0": { id: 7 } }]);
    panel.set(1, []);
  });
});

describe("places", () => {
  it("show one form several times, and each what the kernel says of it", () => {
    const [one, two] = [place(), place()];
    tell(state());
    tell(state({ status: "sending" }));
    for (const el of [one, two]) expect(inside(el, ".state").textContent).toBe("Sending");
    tell();
    for (const el of [one, two]) expect(el.shadowRoot!.innerHTML).toBe("<slot></slot>");
    expect(one.textContent).toBe("as the notebook keeps it");
  });

  it("give a form back what was typed, where its element was made anew", () => {
    const two = state({ place: "dn-kept-form-2" });
    const [one, other] = [place(), place("dn-kept-form-2")];
    tell(state(), two);
    type(one, "typed in one");
    type(other, "typed in two");
    tell(two); // the first was answered
    other.remove();
    const fresh = place("dn-kept-form-2");
    places.show(document);
    expect((inside(fresh, "textarea") as HTMLTextAreaElement).value).toBe("typed in two");
    tell(state(), two); // asked again: nothing of the first is left
    const again = place();
    places.show(document);
    expect((inside(again, "textarea") as HTMLTextAreaElement).value).toBe("my note");
  });

  it("give the keyboard back to the field that had it", () => {
    const el = place();
    tell(state());
    (inside(el, "textarea") as HTMLElement).focus();
    inside(el, "textarea").dispatchEvent(new Event("focusin", { bubbles: true }));
    el.remove();
    const fresh = place();
    places.show(document);
    expect(fresh.shadowRoot!.activeElement).toBe(inside(fresh, "textarea"));
  });

  it("say that the kernel has ended, and show what the notebook keeps", () => {
    const [untouched, typed] = [place(), place("dn-kept-form-2")];
    tell(state(), state({ place: "dn-kept-form-2" }));
    type(typed, "half a sentence");
    places.end();
    expect(inside(untouched, "textarea")).toBe(null);
    expect((inside(typed, "textarea") as HTMLTextAreaElement).value).toBe("half a sentence");
    for (const el of [untouched, typed]) {
      expect(inside(el, ".state").textContent).toBe("The kernel has ended.");
      expect(el.shadowRoot!.lastElementChild!.localName).toBe("slot");
      expect([...el.shadowRoot!.querySelectorAll("style")].filter((style) => style.textContent!.includes(":host"))).toEqual([]);
    }
    button(typed, "0").click();
    expect(sent).toEqual([]);
  });

  it("belong to the view that told of them last", () => {
    const el = place();
    tell(state());
    places.set(2, [state()]);
    places.set(1, []);
    button(el, "0").click();
    expect(sent).toEqual([[2, "dn-kept-form-1", "0", { "0": "my note" }]]);
  });
});

describe("the time that is left", () => {
  const count = (left: number | null) => {
    const said = document.createElement("div");
    const ended = vi.fn();
    const countdown = new Countdown(document, labels, said, ended);
    countdown.start(left);
    return { countdown, said, ended, shown: () => countdown.el.textContent };
  };

  it.each([
    [3 * 86_400, "Expires in 3 days"],
    [86_400, "Expires in 24 hours"],
    [7_199, "Expires in 119 minutes"],
    [119, "Expires in 119 seconds"],
    [1, "Expires in 1 second"],
    [0, ""],
    [null, ""],
  ])("of %s seconds is written as %s", (left, text) => {
    const { shown, countdown } = count(left);
    expect(shown()).toBe(text);
    countdown.stop();
  });

  it("counts down, is said twice, and ends the form", () => {
    const { shown, said, ended } = count(302);
    expect(said.textContent).toBe("");
    vi.advanceTimersByTime(3_000);
    expect(said.textContent).toBe("Expires in 4 minutes");
    vi.advanceTimersByTime(239_000 - 1_000);
    const before = said.textContent;
    vi.advanceTimersByTime(4_000);
    expect([before, said.textContent]).toEqual(["Expires in 4 minutes", "Expires in 60 seconds"]);
    vi.advanceTimersByTime(60_000);
    expect(shown()).toBe("");
    expect(ended).toHaveBeenCalledOnce();
  });

  it("shuts the form, which says so", () => {
    const el = place();
    tell(state({ left: 10 }));
    vi.advanceTimersByTime(11_000);
    expect(inside(el, ".state").textContent).toBe("It has expired.");
    button(el, "0").click();
    expect(sent).toEqual([]);
  });
});
