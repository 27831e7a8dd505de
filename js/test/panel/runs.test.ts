// An app that is run: its words, its form, and inputs that are taken up again.
import { describe, expect, it } from "vitest";
import { begin, isFile } from "../../src/panel/form";
import { Panel, type Model } from "../../src/panel/panel";
import { Store } from "../../src/panel/store";
import type { App, Field, FromBrowser, FromKernel } from "../../src/panel/protocol.gen";

const field = (name: string, control: Field["control"], more: Partial<Field> = {}): Field => ({
  name, control, label: name, required: false, max_length: null, options: [], default: null, hint: "", accept: "", number: null, ...more,
});
const FORM = [field("text", "paragraph"), field("paper", "file")];
const OFFERS = { asks: "run", history: "runs", conversations: false, suggestions: false, annotations: false, variables: false } as const;
const APP = { name: "tally", mode: "workflow", offers: OFFERS, form: FORM } as unknown as App;
const CONVERSATION = { id: null, name: "", inputs: {}, frozen: null, older: false, loading: false, totals: "", notice: null, resume: null };
const TEXTS = { search: "Search", "run.search": "Search runs", close: "Close", taken_up: "Taken." };

describe("the words", () => {
  it("are those of an app that is run where it has its own", () => {
    const store = new Store(() => undefined, () => undefined);
    store.texts = TEXTS;
    expect(store.t("search")).toBe("Search");
    store.app = APP;
    expect([store.t("search"), store.t("close"), store.t("none")]).toEqual(["Search runs", "Close", "none"]);
  });
});

describe("the form", () => {
  it("begins with files that are picked already", () => {
    expect(begin(FORM, { text: "x", paper: "left" }, (name) => [`${name}-1`])).toEqual({ text: "x", paper: ["paper-1"] });
    expect(begin(FORM, {})).toEqual({ text: "", paper: [] });
    expect(FORM.map(isFile)).toEqual([false, true]);
  });
});

/** A kernel that answers by hand. */
function opened() {
  const sent: FromBrowser[] = [];
  let hear: (message: FromKernel) => void = () => undefined;
  let n = 0;
  const model: Model = {
    get: () => "",
    on: (_, callback) => (hear = callback),
    off: () => undefined,
    send: (message) => void sent.push(message),
  };
  const panel = new Panel(model);
  const tell = (message: object) => hear({ ...message, n: ++n } as FromKernel);
  tell({ kind: "texts", lang: "en", texts: TEXTS, height: 640, kept: "" });
  tell({ kind: "state", part: "app", value: APP });
  tell({ kind: "state", part: "conversation", value: CONVERSATION });
  return { panel, sent, tell };
}

describe("inputs", () => {
  it("are sent as the form has them, with no question", () => {
    const { panel, sent } = opened();
    panel.set("text", "a, b");
    panel.ask("");
    expect(sent.at(-1)).toMatchObject({ what: "ask", query: "", inputs: { text: "a, b" }, files: [] });
  });

  it("are taken up instead of what stands there, with their files", async () => {
    const { panel, sent, tell } = opened();
    panel.set("text", "being written");
    panel.uploads.have({ id: "old", name: "old.txt", type: "document", size: 1, thumb: null }, "paper");
    const taken = panel.takeUp("t1");
    const { id } = sent.at(-1)!;
    tell({ kind: "state", part: "conversation", value: { ...CONVERSATION, inputs: { text: "earlier" } } });
    expect(panel.draft["text"], "what is being written stays until it is known").toBe("being written");
    const file = { id: "again-1", name: "paper.txt", type: "document", size: 9, thumb: null };
    tell({ kind: "reply", id, ok: true, value: { files: { paper: [file] }, left: "Choose again: x" }, error: null });
    expect(await taken).toBe(true);
    expect(panel.draft).toEqual({ text: "earlier", paper: ["again-1"] });
    expect(panel.uploads.of("paper").map((item) => item.name)).toEqual(["paper.txt"]);
    expect(panel.toast).toBe("Taken. Choose again: x");
    panel.ask("");
    expect(sent.at(-1)).toMatchObject({ inputs: { text: "earlier", paper: "again-1" } });
  });

  it("stay where they cannot be taken up", async () => {
    const { panel, sent, tell } = opened();
    panel.set("text", "mine");
    const taken = panel.takeUp("gone");
    tell({ kind: "reply", id: sent.at(-1)!.id, ok: false, value: null, error: { message: "gone", hint: null } });
    expect(await taken).toBe(false);
    expect([panel.draft["text"], panel.notice?.message]).toEqual(["mine", "gone"]);
  });
});
