// From the tree to the page: elements are changed in place, so that selection, focus and what the reader opened stay.
import type { Block } from "./protocol.gen";
import { children } from "./tree";
import { createElement, setAttribute, setHtml } from "./safe";

/** Details that the reader opened or closed: the kernel's wish no longer counts there. */
const chosen = new WeakSet<Element>();

/** Remember, from a click inside `root`, which details the reader toggled. */
export function watchDetails(root: EventTarget): void {
  root.addEventListener("click", (event) => {
    for (const target of event.composedPath()) {
      if (target === root) break;
      const el = target as Element;
      if (el.localName === "summary" && el.parentElement) chosen.add(el.parentElement);
    }
  });
}

export function create(doc: Document, block: Block): HTMLElement {
  const el = createElement(doc, block[1]);
  // `download` before `href`: a link to data is a file to keep, never a page to open.
  for (const name of Object.keys(block[2]).sort()) setAttribute(el, name, block[2][name]!);
  if (typeof block[3] === "string") setHtml(el, block[3]);
  else for (const child of block[3]) el.append(create(doc, child));
  return el;
}

/** Make the element that shows `old` show `now`; returns the one that does, another when the tag differs. */
export function update(el: Element, old: Block, now: Block): Element {
  if (old === now) return el;
  if (old[1] !== now[1]) {
    const fresh = create(el.ownerDocument, now);
    el.replaceWith(fresh);
    return fresh;
  }
  if (old[2] !== now[2]) {
    const open = chosen.has(el);
    for (const name in old[2]) if (!(name in now[2]) && !(open && name === "open")) el.removeAttribute(name);
    for (const name of Object.keys(now[2]).sort()) {
      if (old[2][name] !== now[2][name] && !(open && name === "open")) {
        el.removeAttribute(name);
        setAttribute(el, name, now[2][name]!);
      }
    }
  }
  const [was, is] = [old[3], now[3]];
  if (typeof is === "string" && is) {
    if (was !== is) setHtml(el, is);
    return el;
  }
  if (typeof was === "string" && was) el.replaceChildren();
  if (was !== is) updateChildren(el, children(old), children(now));
  return el;
}

function updateChildren(el: Element, old: Block[], now: Block[]): void {
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same++;
  const had = new Map<string, [Block, Element]>();
  for (let i = same; i < old.length; i++) had.set(old[i]![0], [old[i]!, el.children[i]!]);
  let at: Element | null = el.children[same] ?? null;
  for (let i = same; i < now.length; i++) {
    const block = now[i]!;
    const known = had.get(block[0]);
    had.delete(block[0]);
    if (known && known[1] === at) at = update(at, known[0], block).nextElementSibling;
    else el.insertBefore(known ? update(known[1], known[0], block) : create(el.ownerDocument, block), at);
  }
  for (const [, gone] of had.values()) gone.remove();
}
