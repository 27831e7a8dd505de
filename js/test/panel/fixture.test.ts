// Messages that Python's half wrote for recorded streams; a pytest sees to it that they are still what it says.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { create } from "../../src/draw";
import { Body } from "../../src/panel/body";
import type { FromKernel } from "../../src/panel/protocol.gen";
import { Store } from "../../src/panel/store";
import type { Block } from "../../src/protocol.gen";

interface Fixture {
  messages: FromKernel[];
  steps: { case: string; after: number; views: Record<string, Block> }[];
}

const { messages, steps } = JSON.parse(
  gunzipSync(readFileSync("test/fixtures/panel.json.gz")).toString(),
) as Fixture;

const roots = (store: Store, views: Record<string, Block>) =>
  Object.fromEntries(Object.keys(views).map((view) => [view, store.feed(Number(view)).root]));

/** What is in it; attributes in one order, since a part that was patched may have them in another than a new one. */
function page(el: HTMLElement): string {
  const copy = el.cloneNode(true) as HTMLElement;
  for (const each of copy.querySelectorAll("*")) {
    const attributes = [...each.attributes].map(({ name, value }) => [name, value] as const).sort();
    for (const [name] of attributes) each.removeAttribute(name);
    for (const [name, value] of attributes) each.setAttribute(name, value);
  }
  return copy.innerHTML;
}

describe("what Python says", () => {
  it("comes to what Python has, after every recording, without a question", async () => {
    const lost = vi.fn();
    const store = new Store(lost, () => {});
    let at = 0;
    for (const { after, views } of steps) {
      for (; at < after; at++) store.receive(messages[at]!);
      await vi.waitFor(() => expect(roots(store, views)).toEqual(views), { timeout: 2000, interval: 1 });
    }
    expect(lost).not.toHaveBeenCalled();
    expect(store.turns).toHaveLength(steps.length);
  });

  it("is drawn in slices to the same page as at once", async () => {
    const store = new Store(() => {}, () => {});
    const { views } = steps.at(-1)!;
    const places = new Map<string, HTMLElement>();
    for (const message of messages) {
      store.receive(message);
      if (message.kind === "turn" && !places.has(String(message.item.view))) {
        const place = document.createElement("div");
        places.set(String(message.item.view), place);
        new Body(place, store.feed(message.item.view));
      }
    }
    for (const [view, block] of Object.entries(views)) {
      const wanted = document.createElement("div");
      wanted.append(create(document, block));
      await vi.waitFor(() => expect(page(places.get(view)!)).toBe(page(wanted)), { timeout: 25_000 });
    }
  }, 30_000);

  it("is noticed to lack any one message, and comes to the same when all is told again", async () => {
    const last = steps.at(-1)!;
    for (let gone = 1; gone < messages.length - 1; gone += 5) {
      const lost = vi.fn();
      const store = new Store(lost, () => {});
      messages.forEach((message, at) => at !== gone && store.receive(message));
      expect(lost).toHaveBeenCalled();
      let { n } = messages.at(-1)!;
      for (const message of messages) store.receive({ ...message, n: ++n });
      await vi.waitFor(() => expect(roots(store, last.views)).toEqual(last.views), { timeout: 2000, interval: 1 });
      expect(store.gap).toBe(false);
    }
  });
});
