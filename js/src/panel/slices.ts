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

/** Blocks of an answer that stand by themselves; those after them stand in parts of so many. */
const OPEN = 60;
const PART = 40;
const grouped = new WeakMap<Block, Block>();

/**
 * The tree with the blocks of a long answer in parts, each of which the page may leave out while it is out of sight.
 * A part keeps its identity as long as its blocks do, and no block ever changes its part.
 */
export function parts(root: Block): Block {
  const slots = root[3];
  if (typeof slots === "string") return root;
  const at = slots.findIndex(([key]) => key === "answer");
  const answer = slots[at];
  if (!answer || typeof answer[3] === "string" || answer[3].length <= OPEN) return root;
  const blocks = answer[3];
  const body = blocks.slice(0, OPEN);
  for (let from = OPEN; from < blocks.length; from += PART) {
    const within = blocks.slice(from, from + PART);
    const known = grouped.get(within[0]!);
    const same = known && known[3].length === within.length && within.every((block, i) => block === known[3][i]);
    const part: Block = same ? known : [`part${from}`, "div", { class: "dn-part" }, within];
    grouped.set(within[0]!, part);
    body.push(part);
  }
  return [root[0], root[1], root[2], slots.with(at, [answer[0], answer[1], answer[2], body])];
}
