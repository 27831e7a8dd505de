// A long tree drawn in slices: its beginning, up to a weight, so that no drawing keeps the page busy for long.
import type { Block } from "../protocol.gen";

const weights = new WeakMap<Block, number>();

/** Roughly how much work it is to draw a block: one for each element, and one for each so many characters. */
export function weight(block: Block): number {
  let known = weights.get(block);
  if (known === undefined) {
    const body = block[3];
    known = 1;
    if (typeof body === "string") known += body.length / 200;
    else for (const child of body) known += weight(child);
    weights.set(block, known);
  }
  return known;
}

/** The tree up to that weight, the same object when it is whole; at least the first child of each level is there. */
export function limit(block: Block, most: number): Block {
  if (weight(block) <= most || typeof block[3] === "string") return block;
  const body: Block[] = [];
  let left = most - 1;
  for (const child of block[3]) {
    const part = limit(child, left);
    body.push(part);
    left -= weight(part);
    if (part !== child || left <= 0) break;
  }
  return [block[0], block[1], block[2], body];
}
