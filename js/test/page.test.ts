import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Feed } from "../src/feed";
import { PageForms } from "../src/page";
import type { FormState, Submit } from "../src/protocol.gen";

const labels = {
  lang: "en",
  required: "",
  choose: "",
  missing: "",
  expires: "{time}",
  expired: "",
  sending: "",
  silent: "",
  gone: "The kernel has ended.",
};
const state: FormState = {
  place: "dn-kept-form-1",
  status: "waiting",
  title: "Ask",
  parts: [],
  actions: [{ id: "0", title: "Yes", style: "primary" }],
  left: null,
  labels,
  error: "",
};

let sent: Submit[];
let mounted: HTMLElement[];
let page: PageForms;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.replaceChildren();
  sent = [];
  mounted = [];
  const mountIn = (el: HTMLElement) => mounted.push(el) as never;
  page = new PageForms(document, () => "", (message) => sent.push(message), mountIn);
});
afterEach(() => {
  page.dispose();
  vi.useRealTimers();
});

/** A saved form as an output of the notebook; gives its outermost element and the form's place. */
const output = (): [HTMLElement, HTMLElement] => {
  const cell = document.createElement("div");
  cell.innerHTML = '<div class="mathjax_ignore"><div><section class="dn-kept-form-1">kept</section></div></div>';
  document.body.append(cell);
  return [cell.firstElementChild as HTMLElement, cell.querySelector("section")!];
};
const shown = (place: HTMLElement) => place.shadowRoot?.querySelector(".title")?.textContent;

it("fills in outputs that were there, and those that the notebook draws later", async () => {
  vi.useRealTimers();
  const [, before] = output();
  page.set(3, [state]);
  await vi.waitFor(() => expect(shown(before)).toBe("Ask"));
  const [, later] = output();
  await vi.waitFor(() => expect(shown(later)).toBe("Ask"));
  later.shadowRoot!.querySelector("button")!.click();
  expect(sent).toEqual([{ kind: "submit", view: 3, form: "dn-kept-form-1", action: "0", inputs: {} }]);
});

it("shows what goes on where the notebook did not replace the output, and nowhere else", () => {
  const [stays, place] = output();
  const [replaced] = output();
  page.set(3, [state]);
  vi.advanceTimersByTime(20);
  expect(shown(place)).toBe("Ask");
  page.began(new Feed(4));
  page.began(new Feed(3));
  replaced.parentElement!.replaceChildren("streaming");
  vi.advanceTimersByTime(1000);
  expect(mounted).toEqual([stays]);
});

it("shows what goes on in no output that has no form of it any more", () => {
  output();
  page.set(3, [state]);
  vi.advanceTimersByTime(20);
  page.set(3, []);
  page.began(new Feed(3));
  vi.advanceTimersByTime(1000);
  expect(mounted).toEqual([]);
});

it("says at its end that the kernel has ended", () => {
  const [, place] = output();
  page.set(3, [state]);
  vi.advanceTimersByTime(20);
  page.dispose();
  expect(place.shadowRoot!.textContent).toContain("The kernel has ended.");
});
