// Which files an app takes, and how sizes read.
import type { FileRules } from "./protocol.gen";

/** The kind of a file as the app's rules name it. */
export function kindOf(mime: string): string {
  const [head] = mime.split("/");
  return head === "image" || head === "audio" || head === "video" ? head : "document";
}

/** Whether the accept attribute (".pdf,image/*,text/plain") lets this file through; an empty one takes all. */
export function accepts(accept: string, file: { name: string; type: string }): boolean {
  const name = file.name.toLowerCase();
  const type = file.type.toLowerCase();
  const wanted = accept.split(",").map((part) => part.trim().toLowerCase());
  return wanted.every((part) => !part) || wanted.some((part) => part && fits(part, name, type));
}

function fits(part: string, name: string, type: string): boolean {
  if (part.startsWith(".")) return name.endsWith(part);
  return part.endsWith("/*") ? type.startsWith(part.slice(0, -1)) : type === part;
}

/** Why the file cannot be attached: the key of a text and its values; null when it can. */
export function refusal(
  rules: FileRules,
  attached: number,
  file: { name: string; type: string; size: number },
): [key: string, values: Record<string, string | number>] | null {
  if (attached >= rules.number) return ["file_count", { n: rules.number }];
  if (rules.extensions.length && !accepts(rules.extensions.join(","), file)) {
    return ["file_type", { name: file.name }];
  }
  const most = rules.sizes[kindOf(file.type)] ?? Infinity;
  if (file.size > most) return ["file_too_large", { name: file.name, limit: bytes(most) }];
  if (!file.size) return ["file_empty", { name: file.name }];
  return null;
}

/** 1536 -> "1.5 KB" */
export function bytes(size: number): string {
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size < 10 && unit ? size.toFixed(1).replace(/\.0$/, "") : Math.round(size)} ${units[unit]}`;
}
