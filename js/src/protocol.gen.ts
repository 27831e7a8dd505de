// Written by js/protocol.py from dify_notebook/live/protocol.py; do not edit.

export type Attrs = Record<string, string>;
/** key, tag, attributes, and either inner HTML or children. */
export type Block = [key: string, tag: string, attrs: Attrs, body: string | Block[]];
/** See dify_notebook/views/diff.py. */
export type Op =
  | ["set", string, Block]
  | ["attrs", string, Attrs]
  | ["tail", string, number, string]
  | ["cut", string, number]
  | ["push", string, Block[]];

export interface Labels {
  stop: string;
  stopping: string;
  queued: string;
  interrupt: string;
  confirm: string;
}

export interface Open {
  view: number;
  blocking: boolean;
  labels: Labels;
  kind: "open";
}

export interface Patch {
  view: number;
  seq: number;
  ops: Op[];
  base?: number;
  open?: Open;
  say?: string;
}

export interface Packed {
  view: number;
  packed: string;
}

export interface Close {
  view: number;
  kind: "close";
}

export interface Heard {
  view: number;
  kind: "heard";
}

export interface FormField {
  name: string;
  control: "area" | "choice" | "file" | "line";
  label: string;
  value: string;
  options: string[];
  required: boolean;
  note: string;
  many: boolean;
}

export interface FormPart {
  blocks: Block[];
  field: FormField | null;
}

export interface FormAction {
  id: string;
  title: string;
  style: "accent" | "default" | "ghost" | "primary";
}

export interface FormLabels {
  lang: string;
  required: string;
  choose: string;
  missing: string;
  expires: string;
  expired: string;
  sending: string;
  silent: string;
  gone: string;
}

export interface FormState {
  place: string;
  status: "done" | "expired" | "sending" | "waiting";
  title: string;
  parts: FormPart[];
  actions: FormAction[];
  left: number | null;
  labels: FormLabels;
  error: string;
}

export interface Forms {
  view: number;
  forms: FormState[];
  running: boolean;
  kind: "forms";
}

export interface Hello {
  kind: "hello";
  view: number | null;
  seq: number;
}

export interface Stop {
  kind: "stop";
  view: number;
}

export interface Submit {
  kind: "submit";
  view: number;
  form: string;
  action: string;
  inputs: Record<string, string>;
}

export type FromKernel = Open | Patch | Packed | Close | Heard | Forms;

export type FromBrowser = Hello | Stop | Submit;
