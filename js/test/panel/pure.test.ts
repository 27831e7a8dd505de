import { describe, expect, it } from "vitest";
import type { Block } from "../../src/protocol.gen";
import { begin, fault, faults, values, type Draft } from "../../src/panel/form";
import type { Field, FileRules } from "../../src/panel/protocol.gen";
import { Recall } from "../../src/panel/recall";
import { accepts, bytes, kindOf, refusal } from "../../src/panel/rules";
import { limit, parts, weight } from "../../src/panel/slices";
import { lightness } from "../../src/panel/theme";
import { wav } from "../../src/panel/voice";
import { FIRST, STEP, Window } from "../../src/panel/window";

describe("a WAV", () => {
  it("has a header of its size and rate, and its samples within 16 bits", () => {
    const view = new DataView(wav(new Float32Array([0, 0.5, -1, 2])));
    const text = (at: number) => String.fromCharCode(...new Uint8Array(view.buffer, at, 4));
    expect([text(0), text(8), text(12), text(36)]).toEqual(["RIFF", "WAVE", "fmt ", "data"]);
    expect([4, 16, 24, 28, 40].map((at) => view.getUint32(at, true))).toEqual([44, 16, 16000, 32000, 8]);
    expect([20, 22, 32, 34].map((at) => view.getUint16(at, true))).toEqual([1, 1, 2, 16]);
    expect([44, 46, 48, 50].map((at) => view.getInt16(at, true))).toEqual([0, 16383, -32767, 32767]);
  });
});

describe("which files are taken", () => {
  it.each([
    ["", "a.exe", "", true],
    [".pdf,.TXT", "A.PDF", "", true],
    [".pdf, .txt", "a.txt", "text/plain", true],
    [".pdf", "a.pdf.exe", "", false],
    ["image/*", "x", "image/png", true],
    ["image/*", "image.exe", "application/x-dosexec", false],
    ["text/csv", "a", "text/csv", true],
    [",", "a.exe", "", true],
  ])("accept %j: %s (%s) %s", (accept, name, type, expected) => {
    expect(accepts(accept, { name, type })).toBe(expected);
  });

  it.each([
    ["image/png", "image"],
    ["audio/mpeg", "audio"],
    ["video/mp4", "video"],
    ["", "document"],
    ["application/pdf", "document"],
  ])("%s is %s", (mime, kind) => expect(kindOf(mime)).toBe(kind));

  const rules: FileRules = { number: 2, types: ["image"], extensions: [".png", ".pdf"], rules: "", sizes: { image: 1000 } };
  it.each([
    ["fits", 0, "a.png", 1000, null],
    ["one too many", 2, "a.png", 10, "file_count"],
    ["of another type", 0, "a.exe", 10, "file_type"],
    ["too large", 1, "a.png", 1001, "file_too_large"],
    ["no limit for its kind", 1, "a.pdf", 10 ** 9, null],
    ["empty", 1, "a.png", 0, "file_empty"],
  ])("%s", (_, attached, name, size, expected) => {
    const type = name.endsWith("png") ? "image/png" : "application/pdf";
    expect(refusal(rules, attached, { name, type, size })?.[0] ?? null).toBe(expected);
  });

  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KB"],
    [1536, "1.5 KB"],
    [10 * 2 ** 20, "10 MB"],
    [3 * 2 ** 40, "3072 GB"],
  ])("%d bytes read %s", (size, text) => expect(bytes(size)).toBe(text));
});

describe("the form", () => {
  const field = (name: string, control: Field["control"], more: Partial<Field> = {}): Field => ({
    name, label: name, control, required: false, max_length: null, options: [], default: null, hint: "", accept: "",
    number: null, ...more,
  });
  const form = [
    field("text", "text-input", { required: true, max_length: 3 }),
    field("pick", "select", { options: ["a", "b"], default: "b" }),
    field("count", "number", { default: 0 }),
    field("yes", "checkbox", { default: "true" }),
    field("one", "file", { required: true }),
    field("many", "file-list", { number: 2 }),
    field("data", "json", { default: { a: 1 } }),
  ];

  it("begins with the conversation's inputs, else with defaults", () => {
    expect(begin(form, { text: "hi", yes: false })).toEqual({
      text: "hi", pick: "b", count: "0", yes: false, one: [], many: [], data: '{\n  "a": 1\n}',
    });
  });

  it.each([
    ["text", "", "fill_in"],
    ["text", "  ", "fill_in"],
    ["text", "abc", null],
    ["text", "😀😀😀", null],
    ["text", "abcd", "characters"],
    ["pick", "c", "bad_option"],
    ["pick", "", null],
    ["count", "1e3", null],
    ["count", "1,5", "bad_number"],
    ["count", "", null],
    ["one", [], "fill_in"],
    ["one", ["u"], null],
    ["many", ["u", "v", "w"], "file_count"],
    ["data", "{", "bad_json"],
    ["data", "", null],
    ["yes", false, null],
  ] as [string, Draft[string], string | null][])("%s with %j: %s", (name, value, expected) => {
    expect(fault(form.find((each) => each.name === name)!, value)?.[0] ?? null).toBe(expected);
  });

  it("tells all that is wrong, in the order of the form", () => {
    expect([...faults(form, begin(form, {})).keys()]).toEqual(["text", "one"]);
  });

  it("sends values of their types, and nothing for what was left empty", () => {
    const draft = { text: "x", pick: "", count: "2.5", yes: false, one: ["u"], many: [], data: "[1]" };
    expect(values(form, draft)).toEqual({ text: "x", count: 2.5, yes: false, one: "u", data: [1] });
  });
});

describe("earlier questions", () => {
  const asked = ["one", "two", "two", "three"];
  const press = (recall: Recall, keys: string, text = "") => {
    for (const key of keys) text = recall.move(key === "u" ? -1 : 1, text, asked) ?? text;
    return text;
  };
  it.each([
    ["u", "three"],
    ["uu", "two"],
    ["uuu", "one"],
    ["uuuuu", "one"],
    ["uud", "three"],
    ["ud", ""],
    ["d", ""],
    ["uddu", "three"],
  ])("%s gives %j", (keys, expected) => expect(press(new Recall(), keys)).toBe(expected));

  it("are left alone where something is written, also after one was changed", () => {
    const recall = new Recall();
    expect(recall.move(-1, "draft", asked)).toBe(null);
    expect(recall.move(-1, "", asked)).toBe("three");
    expect(recall.move(-1, "three!", asked)).toBe(null);
    expect(recall.move(-1, "", [])).toBe(null);
  });
});

describe("slices of a tree", () => {
  const leaf = (key: string, size = 0): Block => [key, "p", {}, "x".repeat(size)];
  const tree: Block = ["r", "div", {}, [["a", "div", {}, [leaf("1"), leaf("2", 400), leaf("3")]], leaf("b")]];

  it("weigh elements and text", () => expect(weight(tree)).toBe(8));

  it("are the same object when whole, and its beginning when not", () => {
    expect(limit(tree, 8)).toBe(tree);
    const shape = (block: Block): unknown => (typeof block[3] === "string" ? block[0] : [block[0], ...block[3].map(shape)]);
    expect(shape(limit(tree, 7))).toEqual(["r", ["a", "1", "2", "3"]]);
    expect(shape(limit(tree, 5))).toEqual(["r", ["a", "1", "2"]]);
    expect(shape(limit(tree, 1))).toEqual(["r", ["a", "1"]]);
  });

  it("keep the objects of what is whole, so that growing draws only what is new", () => {
    const part = limit(tree, 5);
    expect((part[3][0] as Block)[3][0]).toBe((tree[3][0] as Block)[3][0]);
  });

  it("come to the whole in steps, whatever the tree", () => {
    const wide: Block = ["r", "div", {}, Array.from({ length: 300 }, (_, i) => leaf(String(i), i))];
    let before = 0;
    for (let most = 1; limit(wide, most) !== wide; most += 50) {
      const { length } = limit(wide, most)[3];
      expect(length).toBeGreaterThanOrEqual(before);
      before = length;
    }
    expect(before).toBeGreaterThan(200);
  });
});

describe("parts of a long answer", () => {
  const leaf = (key: number, text = ""): Block => [`b${key}`, "p", {}, text];
  const turn = (blocks: Block[]): Block => ["turn", "div", {}, [["header", "div", {}, ""], ["answer", "div", {}, blocks]]];
  const body = (root: Block): Block[] => (root[3][1] as Block)[3] as Block[];

  it("are not made of a short one", () => {
    const short = turn(Array.from({ length: 60 }, (_, i) => leaf(i)));
    expect(parts(short)).toBe(short);
    expect(parts(["r", "p", {}, "text"])).toEqual(["r", "p", {}, "text"]);
  });

  it("hold every block in its order, and keep it where it was as the answer grows", () => {
    const blocks = Array.from({ length: 300 }, (_, i) => leaf(i));
    const places = new Map<string, string>();
    let before: Block[] = [];
    for (let length = 50; length <= 300; length += 7) {
      const now = body(parts(turn(blocks.slice(0, length))));
      const flat = now.flatMap((block) => (block[2]["class"] ? (block[3] as Block[]) : [block]));
      expect(flat).toEqual(blocks.slice(0, length));
      for (const block of now) {
        for (const [key] of block[2]["class"] ? (block[3] as Block[]) : []) {
          expect(places.get(key) ?? block[0]).toBe(block[0]);
          places.set(key, block[0]);
        }
      }
      // Only the last part is another object than before.
      expect(before.slice(0, -1).every((block, i) => block === now[i])).toBe(true);
      before = now;
    }
    expect(before).toHaveLength(60 + 6);
  });

  it("change with a block that changed", () => {
    const blocks = Array.from({ length: 150 }, (_, i) => leaf(i));
    const one = body(parts(turn(blocks)));
    const two = body(parts(turn(blocks.with(120, leaf(120, "changed")))));
    expect(two[60]).toBe(one[60]);
    expect(two[61]).not.toBe(one[61]);
    expect((two[61]![3] as Block[])[20]![3]).toBe("changed");
  });
});

describe("the turns that are drawn", () => {
  const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `t${from + i}`);

  it("are all of a short conversation, also as it grows", () => {
    const window = new Window();
    expect(window.first([])).toBe(0);
    expect(window.first(keys(1, 6))).toBe(0);
    expect(window.first(keys(1, 40))).toBe(0);
  });

  it("are the end of a long one, and more with each step up", () => {
    const window = new Window();
    const all = keys(0, 500);
    expect(window.first(all)).toBe(500 - FIRST);
    window.up(all);
    expect(window.first(all)).toBe(500 - FIRST - STEP);
    expect(window.first([...all, "new"])).toBe(500 - FIRST - STEP);
  });

  it("are some of the older ones when these were asked for", () => {
    const window = new Window();
    window.first(keys(100, 110));
    expect(window.first(keys(80, 110))).toBe(20 - STEP);
    expect(window.first(keys(80, 110))).toBe(20 - STEP);
  });

  it("begin anew with another conversation", () => {
    const window = new Window();
    window.first(keys(0, 10));
    expect(window.first(keys(1000, 1100))).toBe(100 - FIRST);
  });
});

describe("lightness", () => {
  it.each([
    ["rgb(255, 255, 255)", 1],
    ["rgb(0 0 0)", 0],
    ["rgba(0, 0, 0, 0)", null],
    ["rgba(0, 0, 0, 0.9)", 0],
    ["color(srgb 1 1 1)", null],
  ])("of %s is %s", (colour, expected) => expect(lightness(colour)).toBe(expected));
});
