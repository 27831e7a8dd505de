// The values of an app's form: what it begins with, what is wrong with them, what is sent.
import type { Field } from "./protocol.gen";

/** As typed: texts for text, number and json; a boolean; upload ids for files. */
export type Draft = Record<string, string | boolean | string[]>;
/** The key of a text, and its values. */
export type Fault = [key: string, values: Record<string, string | number>];

/** What the form shows at first: the conversation's inputs, else defaults; of files those that are picked already. */
export function begin(form: Field[], inputs: Record<string, unknown>, files: (field: string) => string[] = () => []): Draft {
  const value = (field: Field) => typed(field, inputs[field.name] ?? field.default);
  return Object.fromEntries(form.map((field) => [field.name, isFile(field) ? files(field.name) : value(field)]));
}

/** Whether files are picked for it. */
export const isFile = (field: Field): boolean => field.control === "file" || field.control === "file-list";

function typed(field: Field, value: unknown): string | boolean {
  switch (field.control) {
    case "checkbox":
      return value === true || value === "true" || value === 1;
    case "json":
      if (value === null || value === undefined || value === "") return "";
      return typeof value === "string" ? value : JSON.stringify(value, null, 2);
    default:
      return value === null || value === undefined ? "" : String(value);
  }
}

/** What keeps the value from being sent; null for nothing. */
export function fault(field: Field, value: Draft[string] | undefined): Fault | null {
  if (Array.isArray(value)) {
    if (field.required && !value.length) return ["fill_in", {}];
    const most = field.control === "file" ? 1 : (field.number ?? Infinity);
    return value.length > most ? ["file_count", { n: most }] : null;
  }
  if (typeof value === "boolean") return null;
  const text = value ?? "";
  if (!text.trim()) return field.required ? ["fill_in", {}] : null;
  if (field.max_length !== null && [...text].length > field.max_length) {
    return ["characters", { n: [...text].length, max: field.max_length }];
  }
  if (field.control === "number" && !Number.isFinite(Number(text))) return ["bad_number", {}];
  if (field.control === "select" && field.options.length && !field.options.includes(text)) {
    return ["bad_option", {}];
  }
  if (field.control === "json") {
    try {
      JSON.parse(text);
    } catch {
      return ["bad_json", {}];
    }
  }
  return null;
}

/** All that is wrong, by field. */
export function faults(form: Field[], draft: Draft): Map<string, Fault> {
  const found = new Map<string, Fault>();
  for (const field of form) {
    const wrong = fault(field, draft[field.name]);
    if (wrong) found.set(field.name, wrong);
  }
  return found;
}

/** What is sent with a question; fields left empty stay away, so that the server's own rules count. */
export function values(form: Field[], draft: Draft): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  for (const field of form) {
    const value = draft[field.name];
    if (value === undefined || value === "" || (Array.isArray(value) && !value.length)) continue;
    if (field.control === "number") sent[field.name] = Number(value);
    else if (field.control === "json") sent[field.name] = JSON.parse(value as string);
    else if (field.control === "file") sent[field.name] = (value as string[])[0];
    else sent[field.name] = value;
  }
  return sent;
}
