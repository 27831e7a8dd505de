import { describe, expect, it } from "vitest";
import { create, update, watchDetails } from "../src/draw";
import type { Block } from "../src/protocol.gen";

const put = (block: Block): HTMLElement => {
  const place = document.createElement("div");
  document.body.append(place);
  place.append(create(document, block));
  return place;
};

const thought = (key: string, text: string, attrs: Record<string, string> = {}): Block => [
  key,
  "details",
  attrs,
  [["s", "summary", {}, "Thought"], ["t", "p", {}, text]],
];

describe("update", () => {
  it("changes in place: elements of the same key stay the same elements", () => {
    const before: Block = ["r", "div", {}, [["a", "p", {}, "1"], ["c", "p", {}, "3"]]];
    const after: Block = ["r", "div", {}, [["a", "p", {}, "1"], ["b", "p", {}, "2"], ["c", "p", {}, "3!"]]];
    const root = put(before).firstElementChild!;
    const [a, c] = [...root.children];
    update(root, before, after);
    expect(root.textContent).toBe("123!");
    expect(root.children[0]).toBe(a);
    expect(root.children[2]).toBe(c);
  });

  it("takes away what is gone and follows a new order", () => {
    const block = (keys: string): Block => ["r", "div", {}, [...keys].map((k): Block => [k, "p", {}, k])];
    let now = block("abcd");
    const root = put(now).firstElementChild!;
    for (const keys of ["dab", "xbad", "q", "abc"]) {
      const next = block(keys);
      update(root, now, next);
      now = next;
      expect(root.textContent).toBe(keys);
    }
  });

  it("leaves open what the reader opened, when the block is set again", () => {
    const before: Block = ["r", "div", {}, [thought("t1", "a")]];
    const after: Block = ["r", "div", {}, [thought("t1", "ab"), thought("t2", "c")]];
    const root = put(before).firstElementChild!;
    const details = root.children[0] as HTMLDetailsElement;
    details.open = true;
    update(root, before, after);
    expect(details.open).toBe(true);
    expect(root.children[0]).toBe(details);
    expect((root.children[1] as HTMLDetailsElement).open).toBe(false);
  });

  it("obeys the kernel's `open` until the reader chooses", () => {
    const shut = thought("t", "a");
    const open = thought("t", "a", { open: "" });
    const place = put(shut);
    watchDetails(place);
    const details = place.firstElementChild as HTMLDetailsElement;
    update(details, shut, open);
    expect(details.open).toBe(true);
    details.querySelector("summary")!.click(); // the reader closes it
    details.open = false;
    update(details, open, shut);
    update(details, shut, open);
    expect(details.open).toBe(false);
  });

  it("replaces an element whose tag changed", () => {
    const before: Block = ["r", "p", {}, "1"];
    const place = put(before);
    update(place.firstElementChild!, before, ["r", "pre", {}, "1"]);
    expect(place.innerHTML).toBe("<pre>1</pre>");
  });
});

describe("a hostile block, were the kernel ever wrong", () => {
  it.each([
    ["script element", ["r", "script", {}, "f()"]],
    ["script in html", ["r", "p", {}, "<b>x</b><script>alert(1)</script>"]],
    ["handler", ["r", "p", { onclick: "alert(1)" }, '<img src="data:image/png;base64,AA" onerror="alert(1)">']],
    ["javascript link", ["r", "a", { href: "javascript:alert(1)" }, '<a href=" JavaScript:alert(1)">x</a>']],
    ["remote image", ["r", "img", { src: "https://beacon.example/x.png" }, '<img src="//beacon.example/x.png">']],
    ["frame", ["r", "iframe", { src: "data:text/html,x", srcdoc: "alert(1)" }, "<iframe srcdoc='alert(1)'></iframe>"]],
    ["form", ["r", "form", { action: "https://beacon.example" }, "<input name=x><form></form>"]],
    ["styles", ["r", "p", { style: "background:url(https://beacon.example)" }, "<style>*{display:none}</style>"]],
    ["svg", ["r", "svg", { onload: "alert(1)" }, "<svg onload='alert(1)'><script>alert(1)</script></svg>"]],
    ["page as data", ["r", "a", { href: "data:text/html,<script>alert(1)</script>" }, "x"]],
    ["notebook's own", ["r", "p", { id: "main" }, '<p data-commandlinker-command="x" id="main">x</p>']],
  ] as [string, Block][])("%s", (_, block) => {
    const place = put(block);
    const html = place.innerHTML;
    expect(html).not.toMatch(/alert|beacon|script|iframe|<form|<input|<svg|<style| on| id=|data-|data:text/i);
  });

  it("keeps what is harmless", () => {
    const html =
      '<a href="https://example.org/" target="_blank" rel="noopener noreferrer">x</a>' +
      '<code class="c" style="color:#123456">y</code><img src="data:image/png;base64,AA" alt="z">';
    expect(put(["r", "p", { class: "p", "aria-label": "q" }, html]).innerHTML).toBe(
      `<p aria-label="q" class="p">${html}</p>`,
    );
    const file: Block = ["r", "a", { download: "a.csv", href: "data:text/csv,1" }, "a.csv"];
    expect(put(file).innerHTML).toBe('<a download="a.csv" href="data:text/csv,1">a.csv</a>');
  });
});
