import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Feed } from "../src/feed";
import { Mount } from "../src/mount";
import { StopButton } from "../src/stop";

const labels = { stop: "Stop", stopping: "Stopping", queued: "Waiting", interrupt: "Interrupt", confirm: "Sure?" };

let feed: Feed;
let asked: number;
let interrupted: number;
let button: StopButton;

beforeEach(() => {
  vi.useFakeTimers();
  feed = new Feed(1);
  feed.labels = labels;
  asked = interrupted = 0;
  button = new StopButton(document, feed, () => asked++, () => ({ interrupt: () => void interrupted++ }));
  document.body.replaceChildren(button.el);
  button.refresh();
});
afterEach(() => vi.useRealTimers());

const press = (index = 0) => button.el.querySelectorAll("button")[index]!.click();

describe("the Stop button", () => {
  it("interrupts a kernel that blocks on this view and does not answer", () => {
    press();
    press();
    expect([asked, interrupted, button.el.textContent]).toEqual([1, 0, "Stopping"]);
    vi.advanceTimersByTime(300);
    expect(interrupted).toBe(1);
  });

  it("leaves a kernel alone that has heard", () => {
    press();
    feed.heard!();
    vi.advanceTimersByTime(10_000);
    expect([asked, interrupted]).toEqual([1, 0]);
  });

  it("leaves a kernel alone when the view has ended meanwhile", () => {
    press();
    feed.open = false;
    vi.advanceTimersByTime(10_000);
    expect(interrupted).toBe(0);
  });

  it("never interrupts another's work unasked", () => {
    feed.blocking = false;
    press();
    vi.advanceTimersByTime(10_000);
    expect([interrupted, button.el.textContent]).toEqual([0, "WaitingInterrupt"]);
    window.confirm = vi.fn(() => false);
    press(1);
    expect(interrupted).toBe(0);
    window.confirm = vi.fn(() => true);
    press(1);
    expect([interrupted, vi.mocked(window.confirm).mock.calls]).toEqual([1, [["Sure?"]]]);
    feed.heard!();
    expect(button.el.textContent).toBe("Waiting");
  });

  it("is there while the view runs, and has the kernel's words", () => {
    expect([button.el.hidden, button.el.textContent]).toEqual([false, "Stop"]);
    feed.open = false;
    button.refresh();
    expect(button.el.hidden).toBe(true);
  });
});

describe("a place in the page", () => {
  it("shows the feed, marks it while patches are missing, and keeps keys to itself", () => {
    const host = document.createElement("div");
    document.body.append(host);
    const leaked: string[] = [];
    host.addEventListener("keydown", (event) => leaked.push(event.key));
    feed.take({ view: 1, seq: 1, base: 0, ops: [["set", "", ["r", "div", { class: "x" }, "hello"]]] });
    const mount = new Mount(host, ".x{}", feed, () => asked++, () => undefined);
    const shadow = host.firstElementChild!.shadowRoot!;
    expect(shadow.querySelector(".x")!.textContent).toBe("hello");

    feed.take({ view: 1, seq: 3, ops: [["tail", "", 5, "!"]] });
    feed.tell();
    vi.advanceTimersByTime(1000);
    expect(shadow.querySelector(".x")!.className).toBe("x dn-stale");

    feed.take({ view: 1, seq: 4, base: 1, ops: [["tail", "", 5, " world"], ["attrs", "", { class: "x y" }]] });
    feed.tell();
    vi.advanceTimersByTime(1000);
    expect(shadow.querySelector(".x")!.outerHTML).toBe('<div class="x y">hello world</div>');

    shadow.querySelector("button")!.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, composed: true }));
    expect(leaked).toEqual([]);

    mount.dispose();
    feed.take({ view: 1, seq: 5, base: 0, ops: [["set", "", ["r", "div", { class: "x" }, "later"]]] });
    feed.tell();
    vi.advanceTimersByTime(1000);
    expect(shadow.querySelector(".x")!.textContent).toBe("hello world");
  });
});
