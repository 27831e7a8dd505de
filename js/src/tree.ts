// The tree of blocks that the kernel describes: pure values, changed by operations.
import type { Block, Op } from "./protocol.gen";

export const children = (block: Block): Block[] => (typeof block[3] === "string" ? [] : block[3]);

/** The tree after the operations; what did not change keeps its identity. Throws when they do not fit. */
export function apply(root: Block | null, ops: Op[]): Block | null {
  for (const op of ops) {
    const path = op[1] ? op[1].split("/").map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~")) : [];
    root = edit(root, path, 0, op);
  }
  return root;
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
  if (op[0] === "set") return op[2];
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
