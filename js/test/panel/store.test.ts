import { describe, expect, it } from "vitest";
import type { FromKernel, TurnMeta } from "../../src/panel/protocol.gen";
import { Store } from "../../src/panel/store";

const turn = (key: string, changes: Partial<TurnMeta> = {}): TurnMeta => ({
  key,
  view: Number(key.slice(1)),
  query: `q ${key}`,
  files: [],
  status: "succeeded",
  message_id: null,
  rating: null,
  comment: null,
  annotated: false,
  can: { retry: false, read_on: false, regenerate: false, rate: false, annotate: false, speak: false },
  suggested: [],
  downloads: [],
  audio: false,
  when: "",
  facts: "",
  nodes: [],
  say: null,
  forms: [],
  ...changes,
});

const made = () => {
  const lost: number[] = [];
  const said: string[] = [];
  const store = new Store(
    () => lost.push(store.have),
    (text) => said.push(text),
  );
  let n = 0;
  const give = (message: Record<string, unknown>) => store.receive({ ...message, n: ++n } as unknown as FromKernel);
  const skip = () => n++;
  give({ kind: "texts", lang: "en", texts: { send: "Send", hi: "Hi {name}, {name}{other}" } });
  return { store, give, skip, lost, said };
};
const keys = (store: Store) => store.turns.map(({ key }) => key).join(" ");
const whole = (view: number, text: string) => ({ kind: "patch", patch: { view, seq: 1, base: 0, ops: [["set", "", ["r", "p", {}, text]]] } });

describe("labels", () => {
  it("fills in values, leaves unknown places and unknown keys readable", () => {
    const { store } = made();
    expect(store.t("send")).toBe("Send");
    expect(store.t("hi", { name: "A" })).toBe("Hi A, A{other}");
    expect(store.t("nothing")).toBe("nothing");
  });

  it("become another language with another `texts`", () => {
    const { store, give } = made();
    give({ kind: "texts", lang: "zh-Hans", texts: { send: "发送" } });
    expect([store.lang, store.t("send")]).toEqual(["zh-Hans", "发送"]);
  });
});

describe("turns", () => {
  it("are replaced, changed in place, added at the end, put before", () => {
    const { store, give } = made();
    give({ kind: "turns", where: "all", items: [turn("t2"), turn("t3")] });
    give({ kind: "turn", item: turn("t2", { rating: "like" }) });
    give({ kind: "turn", item: turn("t4") });
    give({ kind: "turns", where: "older", items: [turn("t1"), turn("t2")] });
    expect(keys(store)).toBe("t1 t2 t3 t4");
    expect(store.turns[1]!.rating).toBe("like");
    give({ kind: "turns", where: "all", items: [] });
    expect(keys(store)).toBe("");
  });

  it("that did not change stay the same objects, so that they are not drawn again", () => {
    const { store, give } = made();
    give({ kind: "turns", where: "all", items: [turn("t1"), turn("t2")] });
    const [first] = store.turns;
    give({ kind: "turn", item: turn("t2", { rating: "like" }) });
    expect(store.turns[0]).toBe(first);
  });

  it("say a change of status once", () => {
    const { give, said } = made();
    give({ kind: "turn", item: turn("t1", { say: "begun" }) });
    give({ kind: "turn", item: turn("t1", { say: "begun", facts: "1 s" }) });
    give({ kind: "turn", item: turn("t1", { say: "done" }) });
    expect(said).toEqual(["begun", "done"]);
  });

  it("keep the blocks that came before them, and lose those of another conversation", () => {
    const { store, give } = made();
    give(whole(1, "early"));
    give({ kind: "turn", item: turn("t1") });
    expect(store.feed(1).root?.[3]).toBe("early");
    give({ kind: "turns", where: "all", items: [turn("t2")] });
    expect(store.feed(1).root).toBe(null);
  });
});

describe("a message that was lost", () => {
  it("is noticed at the next one, and the kernel is asked until it tells everything", () => {
    const { store, give, skip, lost } = made();
    skip();
    give({ kind: "state", part: "queue", value: [{ id: "q", query: "x" }] });
    expect([lost.length, store.gap]).toEqual([1, true]);
    give({ kind: "texts", lang: "en", texts: {} });
    expect(store.gap).toBe(false);
    give({ kind: "state", part: "queue", value: [] });
    expect(lost.length).toBe(1);
  });

  it("does not keep whole parts from being taken, but older turns, which could leave a hole", () => {
    const { store, give, skip } = made();
    give({ kind: "turns", where: "all", items: [turn("t5")] });
    skip();
    give({ kind: "state", part: "status", value: { running: "t5", stopping: false, connected: true, error: null } });
    give({ kind: "turns", where: "older", items: [turn("t4")] });
    expect([store.status.running, keys(store)]).toEqual(["t5", "t5"]);
  });

  it("of blocks makes the kernel be asked too", () => {
    const { store, give, lost } = made();
    give({ kind: "turn", item: turn("t1") });
    give(whole(1, "a"));
    give({ kind: "patch", patch: { view: 1, seq: 3, ops: [["tail", "", 1, "c"]] } });
    expect([store.feed(1).root?.[3], lost.length]).toEqual(["a", 1]);
    give({ kind: "patch", patch: { view: 1, seq: 3, base: 0, ops: [["set", "", ["r", "p", {}, "abc"]]] } });
    expect(store.feed(1).root?.[3]).toBe("abc");
  });
});

describe("packed patches", () => {
  it("are applied in the order in which they came", async () => {
    const { store, give } = made();
    const bytes = new Uint8Array(
      await new Response(
        new Blob([JSON.stringify(whole(1, "a").patch)]).stream().pipeThrough(new CompressionStream("deflate")),
      ).arrayBuffer(),
    );
    const told = new Promise<void>((resolve) => {
      store.feed(1).watchers.add(() => store.feed(1).have === 2 && resolve());
    });
    give({ kind: "patch", patch: { view: 1, packed: btoa(String.fromCharCode(...bytes)) } });
    give({ kind: "patch", patch: { view: 1, seq: 2, ops: [["tail", "", 1, "b"]] } });
    await told;
    expect(store.feed(1).root?.[3]).toBe("ab");
  });
});

describe("anything unknown", () => {
  it("is passed over", () => {
    const { store, give, lost } = made();
    give({ kind: "news" });
    give({ kind: "state", part: "queue", value: [] });
    expect([lost.length, store.have]).toEqual([0, 3]);
  });
});
