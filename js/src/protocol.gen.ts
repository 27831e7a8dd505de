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

export interface Hello {
  kind: "hello";
  view: number | null;
  seq: number;
}

export interface Stop {
  kind: "stop";
  view: number;
}

export type FromKernel = Open | Patch | Packed | Close | Heard;

export type FromBrowser = Hello | Stop;
