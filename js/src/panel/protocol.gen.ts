// Written by js/protocol.py from dify_notebook/panel/messages.py and commands.py; do not edit.
// Contents (files, sound) travel as buffers beside a message.
import type { Block, FormState, Packed, Patch } from "../protocol.gen";

export interface Offers {
  asks: "question" | "run";
  history: "conversations" | "here" | "runs";
  conversations: boolean;
  suggestions: boolean;
  annotations: boolean;
  variables: boolean;
}

export interface Icon {
  emoji: string | null;
  background: string | null;
  src: string | null;
}

export interface FileRules {
  number: number;
  types: string[];
  extensions: string[];
  rules: string;
  sizes: Record<string, number>;
}

export interface Field {
  name: string;
  label: string;
  control: "checkbox" | "file" | "file-list" | "json" | "number" | "paragraph" | "select" | "text-input";
  required: boolean;
  max_length: number | null;
  options: string[];
  default: unknown;
  hint: string;
  accept: string;
  number: number | null;
}

export interface App {
  name: string;
  mode: "advanced-chat" | "agent" | "agent-chat" | "chat" | "completion" | "workflow";
  offers: Offers;
  description: string;
  icon: Icon | null;
  server: string;
  local: boolean;
  opening: Block | null;
  suggested: string[];
  speech_to_text: boolean;
  text_to_speech: boolean;
  autoplay: boolean;
  annotations: boolean;
  files: FileRules | null;
  form: Field[];
}

export interface SetApp {
  part: "app";
  n: number;
  kind: "state";
  value: App;
}

export interface Resume {
  id: string;
  name: string;
}

export interface Conversation {
  id: string | null;
  name: string;
  inputs: Record<string, unknown>;
  frozen: string | null;
  older: boolean;
  loading: boolean;
  totals: string;
  notice: string | null;
  resume: Resume | null;
}

export interface SetConversation {
  part: "conversation";
  n: number;
  kind: "state";
  value: Conversation;
}

export interface Listed {
  id: string;
  name: string;
  when: string;
  current: boolean;
  status: string;
  facts: string;
}

export interface Deleted {
  id: string;
  name: string;
}

export interface Conversations {
  items: Listed[];
  more: boolean;
  loading: boolean;
  search: string;
  deleted: Deleted | null;
}

export interface SetConversations {
  part: "conversations";
  n: number;
  kind: "state";
  value: Conversations;
}

export interface Variable {
  id: string;
  name: string;
  type: string;
  value: string;
  description: string;
}

export interface Variables {
  items: Variable[];
}

export interface SetVariables {
  part: "variables";
  n: number;
  kind: "state";
  value: Variables | null;
}

export interface Queued {
  id: string;
  query: string;
}

export interface SetQueue {
  part: "queue";
  n: number;
  kind: "state";
  value: Queued[];
}

export interface Problem {
  message: string;
  hint: string | null;
}

export interface Status {
  running: string | null;
  stopping: boolean;
  connected: boolean;
  error: Problem | null;
}

export interface SetStatus {
  part: "status";
  n: number;
  kind: "state";
  value: Status;
}

export interface Texts {
  kind: "texts";
  n: number;
  lang: "en" | "zh-Hans";
  texts: Record<string, string>;
  height: number;
  kept: string;
}

export interface Attachment {
  id: string;
  name: string;
  type: string;
  size: number | null;
  thumb: string | null;
}

export interface Can {
  retry: boolean;
  take_up: boolean;
  read_on: boolean;
  regenerate: boolean;
  rate: boolean;
  annotate: boolean;
  speak: boolean;
}

export interface Download {
  id: string;
  name: string;
  type: string;
  size: number | null;
}

export interface NodeLine {
  id: string;
  title: string;
}

export interface TurnMeta {
  key: string;
  view: number;
  query: string;
  title: string;
  files: Attachment[];
  status: "failed" | "incomplete" | "partial_succeeded" | "paused" | "running" | "stopped" | "succeeded";
  message_id: string | null;
  rating: "dislike" | "like" | null;
  comment: string | null;
  annotated: boolean;
  can: Can;
  suggested: string[];
  downloads: Download[];
  audio: boolean;
  when: string;
  facts: string;
  nodes: NodeLine[];
  say: string | null;
  forms: FormState[];
}

export interface Turns {
  kind: "turns";
  n: number;
  items: TurnMeta[];
  where: "all" | "older";
}

export interface PutTurn {
  kind: "turn";
  n: number;
  item: TurnMeta;
}

export interface PatchView {
  kind: "patch";
  n: number;
  patch: Patch | Packed;
}

export interface Heard {
  kind: "heard";
  n: number;
  id: number;
}

export interface Reply {
  kind: "reply";
  n: number;
  id: number;
  ok: boolean;
  value: unknown;
  error: Problem | null;
}

export interface Progress {
  kind: "progress";
  n: number;
  upload: string;
  sent: number;
  total: number;
  file: Attachment | null;
  error: Problem | null;
}

export interface Sound {
  kind: "sound";
  n: number;
  key: string;
  mime: string;
  last: boolean;
}

export interface TextValue {
  text: string;
}

export interface SoundValue {
  mime: string;
}

export interface FileValue {
  name: string;
  mime: string;
}

export interface ExportValue {
  name: string;
  text: string;
}

export interface TakenValue {
  files: Record<string, Attachment[]>;
  left: string;
}

export interface NodeValue {
  title: string;
  status: string;
  inputs: unknown;
  process_data: unknown;
  outputs: unknown;
  error: string | null;
}

export interface Hello {
  what: "hello";
  kind: "do";
  id: number;
  lang: string[];
  have: number;
}

export interface Ask {
  what: "ask";
  kind: "do";
  id: number;
  query: string;
  inputs: Record<string, unknown>;
  files: string[];
}

export interface Stop {
  what: "stop";
  kind: "do";
  id: number;
}

export interface Retry {
  what: "retry";
  kind: "do";
  id: number;
  key: string;
}

export interface Regenerate {
  what: "regenerate";
  kind: "do";
  id: number;
  key: string;
}

export interface TakeUp {
  what: "take_up";
  kind: "do";
  id: number;
  key: string;
}

export interface Unqueue {
  what: "unqueue";
  kind: "do";
  id: number;
  queue: string;
}

export interface Submit {
  what: "submit";
  kind: "do";
  id: number;
  key: string;
  form: string;
  action: string;
  inputs: Record<string, string | string[]>;
}

export interface ReadOn {
  what: "read_on";
  kind: "do";
  id: number;
  key: string;
}

export interface Rate {
  what: "rate";
  kind: "do";
  id: number;
  key: string;
  rating: "dislike" | "like" | null;
  comment: string | null;
}

export interface Annotate {
  what: "annotate";
  kind: "do";
  id: number;
  key: string;
  question: string;
  answer: string;
}

export interface ListConversations {
  what: "conversations";
  kind: "do";
  id: number;
  search: string;
  more: boolean;
}

export interface OpenConversation {
  what: "open";
  kind: "do";
  id: number;
  conversation: string;
}

export interface New {
  what: "new";
  kind: "do";
  id: number;
}

export interface Rename {
  what: "rename";
  kind: "do";
  id: number;
  conversation: string;
  name: string | null;
}

export interface Delete {
  what: "delete";
  kind: "do";
  id: number;
  conversation: string;
}

export interface Undo {
  what: "undo";
  kind: "do";
  id: number;
  conversation: string;
}

export interface Older {
  what: "older";
  kind: "do";
  id: number;
}

export interface LoadVariables {
  what: "variables";
  kind: "do";
  id: number;
}

export interface SetVariable {
  what: "set_variable";
  kind: "do";
  id: number;
  variable: string;
  value: string;
}

export interface Upload {
  what: "upload";
  kind: "do";
  id: number;
  upload: string;
  name: string;
  type: string;
  size: number;
  field: string | null;
  form: string | null;
}

export interface UploadPart {
  what: "upload_part";
  kind: "do";
  id: number;
  upload: string;
  offset: number;
  last: boolean;
}

export interface UploadCancel {
  what: "upload_cancel";
  kind: "do";
  id: number;
  upload: string;
}

export interface Hear {
  what: "hear";
  kind: "do";
  id: number;
  mime: string;
}

export interface Speak {
  what: "speak";
  kind: "do";
  id: number;
  key: string;
}

export interface AskSound {
  what: "sound";
  kind: "do";
  id: number;
  key: string;
}

export interface AskFile {
  what: "file";
  kind: "do";
  id: number;
  key: string;
  file: string;
}

export interface AskNode {
  what: "node";
  kind: "do";
  id: number;
  key: string;
  node: string;
}

export interface Copy {
  what: "copy";
  kind: "do";
  id: number;
  key: string;
  as: "cell" | "markdown";
}

export interface Export {
  what: "export";
  kind: "do";
  id: number;
  as: "cells" | "markdown";
}

export type SetState = SetApp | SetConversation | SetConversations | SetVariables | SetQueue | SetStatus;

export type FromKernel = Texts | SetApp | SetConversation | SetConversations | SetVariables | SetQueue | SetStatus | Turns | PutTurn | PatchView | Heard | Reply | Progress | Sound;

export type ReplyValue = TextValue | SoundValue | FileValue | ExportValue | TakenValue | NodeValue;

export type FromBrowser = Hello | Ask | Stop | Retry | Regenerate | TakeUp | Unqueue | Submit | ReadOn | Rate | Annotate | ListConversations | OpenConversation | New | Rename | Delete | Undo | Older | LoadVariables | SetVariable | Upload | UploadPart | UploadCancel | Hear | Speak | AskSound | AskFile | AskNode | Copy | Export;
