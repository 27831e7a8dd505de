// The tree of blocks that the kernel describes: pure values, changed by operations.
import type { Attrs, Block, Op } from "./protocol.gen";

export const children = (block: Block): Block[] => (typeof block[3] === "string" ? [] : block[3]);

/** The tree after the operations; what did not change keeps its identity. Throws when they do not fit. */
export function apply(root: Block | null, ops: Op[]): Block | null {
  for (const op of ops) {
    const path = op[1] ? op[1].split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~")) : [];
    root = edit(root, path, 0, op);
  }
  return root;
}

/** The new tree with the old one's objects wherever they say the same, so that only what changed is drawn again. */
export function share(old: Block | null | undefined, now: Block): Block {
  if (!old || old[0] !== now[0] || old[1] !== now[1]) return now;
  const [was, is] = [old[3], now[3]];
  let body = is;
  if (typeof was !== "string" && typeof is !== "string") {
    let same = was.length === is.length;
    const shared = is.map((child, index) => {
      const known = share(was[index], child);
      same &&= known === was[index];
      return known;
    });
    body = same ? was : shared;
  }
  const attrs = equal(old[2], now[2]) ? old[2] : now[2];
  return body === was && attrs === old[2] ? old : [now[0], now[1], attrs, body];
}

function equal(one: Attrs, other: Attrs): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

function edit(block: Block | null, path: string[], depth: number, op: Op): Block {
  if (depth === path.length) return change(block, op);
  if (!block) throw new Error(`nothing at ${op[1]}`);
  const body = [...children(block)];
  const at = body.findIndex((child) => child[0] === path[depth]);
  if (at >= 0) body[at] = edit(body[at]!, path, depth + 1, op);
  else if (op[0] === "set" && depth === path.length - 1) body.push(op[2]);
  else throw new Error(`nothing at ${op[1]}`);
  return [block[0], block[1], block[2], body];
}

function change(block: Block | null, op: Op): Block {
  if (op[0] === "set") return share(block, op[2]);
  if (!block) throw new Error(`nothing at ${op[1]}`);
  const [key, tag, attrs, body] = block;
  switch (op[0]) {
    case "attrs":
      return [key, tag, op[2], body];
    case "tail":
      return [key, tag, attrs, (typeof body === "string" ? body : "").slice(0, op[2]) + op[3]];
    case "cut": {
      const left = children(block).slice(0, op[2]);
      return [key, tag, attrs, left.length ? left : ""];
    }
    case "push":
      return [key, tag, attrs, [...children(block), ...op[2]]];
    default:
      throw new Error(`no operation ${String((op as unknown[])[0])}`);
  }
}
