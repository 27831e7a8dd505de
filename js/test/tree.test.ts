// The same file of cases is read by tests/unit/test_views_diff.py.
import { describe, expect, it } from "vitest";
import cases from "./fixtures/patches.json";
import { create, update } from "../src/draw";
import type { Block, Op } from "../src/protocol.gen";
import { apply } from "../src/tree";

interface Case {
  name: string;
  before: Block | null;
  ops: Op[];
  repair: Op[];
  after: Block;
}

describe.each(cases as unknown as Case[])("$name", ({ before, ops, repair, after }) => {
  it("comes to the same tree by patch and by repair", () => {
    expect(apply(before, ops)).toEqual(after);
    expect(apply(before, repair)).toEqual(after);
  });

  it("comes to the same page as drawing anew", () => {
    const fresh = create(document, after).outerHTML;
    for (const change of [ops, repair]) {
      const place = document.createElement("div");
      if (before) {
        place.append(create(document, before));
        update(place.firstElementChild!, before, apply(before, change)!);
      } else place.append(create(document, apply(null, change)!));
      expect(place.innerHTML).toBe(fresh);
    }
  });
});

describe("apply", () => {
  it("keeps the identity of what did not change", () => {
    const before: Block = ["r", "div", {}, [["a", "p", {}, "1"], ["b", "p", {}, "2"]]];
    const after = apply(before, [["tail", "b", 1, "3"]])!;
    expect((after[3] as Block[])[0]).toBe((before[3] as Block[])[0]);
    expect(before[3][1]).toEqual(["b", "p", {}, "2"]);
  });

  it("keeps it also when a whole tree says the same again", () => {
    const before: Block = ["r", "div", {}, [["a", "p", { class: "x" }, "1"], ["b", "div", {}, [["c", "p", {}, "2"]]]]];
    const again = (text: string): Block => {
      const copy = structuredClone(before);
      (copy[3] as Block[])[0]![3] = text;
      return copy;
    };
    expect(apply(before, [["set", "", again("1")]])).toBe(before);
    const after = apply(before, [["set", "", again("changed")]])!;
    expect(after).toEqual(again("changed"));
    expect(after[3][1]).toBe(before[3][1]);
    const [attrs, key, more] = [structuredClone(before), structuredClone(before), structuredClone(before)];
    (attrs[3] as Block[])[0]![2] = { class: "y" };
    (key[3] as Block[])[1]![0] = "z";
    (more[3] as Block[]).push(["d", "p", {}, ""]);
    for (const tree of [attrs, key, more]) expect(apply(before, [["set", "", tree]])).toEqual(tree);
  });

  it("refuses what does not fit", () => {
    expect(() => apply(["r", "div", {}, ""], [["tail", "x", 0, ""]])).toThrow("nothing at x");
    expect(() => apply(null, [["attrs", "", {}]])).toThrow();
    expect(() => apply(["r", "div", {}, ""], [["dance", ""] as unknown as Op])).toThrow("dance");
  });
});
