import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import packed from "./fixtures/packed.json";
import { Feed } from "../src/feed";
import { Hub } from "../src/hub";
import type { Block, FromBrowser, Labels } from "../src/protocol.gen";

const labels: Labels = { stop: "Stop", stopping: "Stopping", queued: "Waiting", interrupt: "Interrupt", confirm: "Sure?" };
const whole = (text: string): Block => ["r", "p", {}, text];

let sent: FromBrowser[];
let said: string[];
let forms: [view: number, count: number][];
let began: number[];
let hub: Hub;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  said = [];
  forms = [];
  hub = new Hub((message) => sent.push(message), (text) => said.push(text), {
    set: (view, states) => forms.push([view, states.length]),
    began: (feed) => began.push(feed.view),
  });
  began = [];
});
afterEach(() => {
  hub.dispose();
  vi.useRealTimers();
});

const open = (view: number, blocking = true) => hub.hear({ view, kind: "open", blocking, labels });
const claim = (): Feed => {
  let found: Feed | undefined;
  hub.claim((feed) => {
    found = feed;
    feed.watchers.add(() => undefined);
  });
  return found!;
};

describe("a feed", () => {
  it("takes a patch on its one state, and a repair on all that it covers", () => {
    const feed = new Feed(1);
    feed.take({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]] });
    feed.take({ view: 1, seq: 2, ops: [["tail", "", 1, "b"]] });
    expect([feed.have, feed.root![3], feed.stale]).toEqual([2, "ab", false]);
    feed.take({ view: 1, seq: 4, ops: [["tail", "", 3, "d"]] }); // 3 was lost
    expect([feed.have, feed.root![3], feed.stale]).toEqual([2, "ab", true]);
    feed.take({ view: 1, seq: 5, base: 3, ops: [["tail", "", 3, "de"]] }); // reaches not far enough
    expect([feed.have, feed.stale]).toEqual([2, true]);
    feed.take({ view: 1, seq: 6, base: 1, ops: [["tail", "", 1, "bcdef"]] });
    expect([feed.have, feed.root![3], feed.stale]).toEqual([6, "abcdef", false]);
    feed.take({ view: 1, seq: 6, base: 1, ops: [["tail", "", 1, "again"]] });
    expect(feed.root![3]).toBe("abcdef");
  });

  it("trusts only a whole tree after operations that did not fit", () => {
    const feed = new Feed(1);
    feed.take({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]] });
    feed.take({ view: 1, seq: 2, ops: [["tail", "nowhere", 1, "b"]] });
    expect([feed.have, feed.stale]).toEqual([0, true]);
    feed.take({ view: 1, seq: 9, base: 3, ops: [["tail", "", 1, "b"]] });
    expect(feed.stale).toBe(true);
    feed.take({ view: 1, seq: 9, base: 0, ops: [["set", "", whole("z")]] });
    expect([feed.have, feed.root![3], feed.stale]).toEqual([9, "z", false]);
  });
});

describe("places in the page", () => {
  it("show the oldest open view that no place shows, else the newest", () => {
    open(1);
    open(2);
    expect(claim().view).toBe(1);
    expect(claim().view).toBe(2);
    expect(claim().view).toBe(2);
    hub.hear({ view: 2, kind: "close" });
    open(3);
    expect(claim().view).toBe(3);
  });

  it("that come before their view wait for it", () => {
    const feeds: number[] = [];
    hub.claim((feed) => feeds.push(feed.view));
    const release = hub.claim((feed) => feeds.push(feed.view));
    release();
    open(7);
    expect(feeds).toEqual([7]);
  });

  it("show what ended last for want of a better, and leave it for a view whose beginning was lost", () => {
    open(1);
    hub.hear({ view: 1, kind: "close" });
    const feeds: number[] = [];
    hub.claim((feed) => feeds.push(feed.view));
    open(2); // has its own place, which comes next
    expect(feeds).toEqual([1]);
    expect(claim().view).toBe(2);
    hub.hear({ view: 2, kind: "close" });
    hub.hear({ view: 3, seq: 9, base: 7, ops: [] });
    expect(feeds).toEqual([1, 3]);
  });

  it("get the labels of a view whose beginning was lost with the next whole tree", () => {
    hub.hear({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]], open: { view: 1, kind: "open", blocking: true, labels } });
    expect(claim().labels).toEqual(labels);
  });

  it("skip views that ended unseen", () => {
    open(1);
    hub.hear({ view: 1, kind: "close" });
    open(2);
    expect(claim().view).toBe(2);
  });
});

describe("a view that hears nothing", () => {
  it("asks, more and more seldom, and not after the end", () => {
    open(1);
    vi.advanceTimersByTime(3000);
    expect(sent).toEqual([{ kind: "hello", view: 1, seq: 0 }]);
    vi.advanceTimersByTime(5999);
    expect(sent.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(sent.length).toBe(2);
    hub.hear({ view: 1, kind: "close" });
    vi.advanceTimersByTime(600_000);
    expect(sent.length).toBe(2);
  });

  it("asks a few times more when it ended and is still there: what should replace it was lost", () => {
    open(1);
    const feed = claim();
    hub.hear({ view: 1, kind: "close" });
    vi.advanceTimersByTime(9000);
    expect(sent.length).toBe(2);
    hub.hear({ view: 1, kind: "close" });
    vi.advanceTimersByTime(3_600_000);
    expect(sent.length).toBe(6);
    feed.watchers.clear();
  });

  it("asks at once after a gap when the kernel is free to answer", () => {
    open(1, false);
    hub.hear({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]] });
    hub.hear({ view: 1, seq: 3, ops: [] });
    hub.hear({ view: 1, seq: 4, ops: [] });
    expect(sent).toEqual([{ kind: "hello", view: 1, seq: 1 }]);
  });

  it("asks nothing after a gap when the kernel could not answer", () => {
    open(1, true);
    hub.hear({ view: 1, seq: 3, ops: [] });
    expect(sent).toEqual([]);
  });

  it("knows whether it lacks a beginning", () => {
    expect(hub.lacking()).toBe(true);
    open(1);
    expect(hub.lacking()).toBe(true);
    hub.hear({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]] });
    expect(hub.lacking()).toBe(false);
  });
});

describe("forms", () => {
  const tell = (status: string | null, running = false) =>
    hub.hear({ view: 1, kind: "forms", forms: status === null ? [] : [{ status }], running } as never);
  const submit = () => hub.submit({ kind: "submit", view: 1, form: "f", action: "0", inputs: {} });

  it("end a view for now, which goes on in another place of the page", () => {
    open(1);
    const feed = claim();
    tell("waiting");
    expect([feed.open, forms]).toEqual([false, [[1, 1]]]);
    feed.watchers.clear();
    open(1, false);
    const again = claim();
    expect([again.view, again.open, again.blocking]).toEqual([1, true, false]);
    hub.hear({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]], open: { view: 1, kind: "open", blocking: true, labels } });
    expect(began).toEqual([1, 1]);
    tell("waiting", true);
    expect(again.open).toBe(true);
    hub.hear({ view: 1, kind: "close" });
    expect(forms.at(-1)).toEqual([1, 0]);
  });

  it("are asked for when nothing is heard of an answer, more and more seldom", () => {
    submit();
    vi.advanceTimersByTime(2999);
    expect(sent.map(({ kind }) => kind)).toEqual(["submit"]);
    vi.advanceTimersByTime(600_000);
    expect(sent.map(({ kind }) => kind)).toEqual(["submit", ...Array(5).fill("hello")]);
    expect(sent.at(-1)).toEqual({ kind: "hello", view: 1, seq: 0 });
  });

  it.each([
    ["refused", () => tell("waiting")],
    ["answered", () => open(1)],
    ["gone", () => hub.hear({ view: 1, kind: "close" })],
  ])("are asked for no more once one is known to be %s", (_, hear) => {
    submit();
    tell("sending");
    vi.advanceTimersByTime(3000);
    expect(sent.at(-1)!.kind).toBe("hello");
    hear();
    const count = sent.length;
    vi.advanceTimersByTime(2000);
    expect(sent.length).toBe(count);
  });
});

it("says a change of status once", () => {
  open(1);
  hub.hear({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]], say: "Waiting" });
  hub.hear({ view: 1, seq: 1, base: 1, ops: [], say: "Done" });
  expect(said).toEqual(["Waiting", "Done"]);
});

describe("packed messages", () => {
  // Made by `pack` in dify_notebook/live/protocol.py; tests/unit/test_live_protocol.py reads it too.
  it("come out as they went in, and what comes meanwhile waits behind them", async () => {
    vi.useRealTimers();
    open(1);
    const feed = claim();
    hub.receive(packed as never);
    hub.receive({ view: 1, seq: 8, ops: [["tail", "", 2400, "!"]] });
    expect(feed.have).toBe(0);
    await vi.waitFor(() => expect(feed.have).toBe(8));
    expect(feed.root![3]).toBe("字😀".repeat(800) + "!");
    hub.receive({ view: 1, seq: 9, ops: [["tail", "", 2401, "?"]] });
    expect(feed.have).toBe(9);
  });

  it("that are damaged are lost, and nothing else", async () => {
    vi.useRealTimers();
    open(1);
    const feed = claim();
    hub.receive({ view: 1, packed: "bm90IGRlZmxhdGVk" });
    hub.receive({ view: 1, seq: 1, base: 0, ops: [["set", "", whole("a")]] });
    await vi.waitFor(() => expect(feed.have).toBe(1));
  });
});

it("passes over what it does not know", () => {
  hub.hear(null as never);
  hub.hear({ view: "x" } as never);
  hub.hear({ view: 1, kind: "dance" } as never);
  expect(hub.lacking()).toBe(true);
});
