// A scripted kernel for the chat panel: answers every command of panel/protocol.py from `window.SAMPLE`.
import widget from "/panel.js";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Kernel {
  constructor(sample) {
    Object.assign(this, structuredClone(sample));
    this.n = 0;
    /** Commands so far. */
    this.log = [];
    this.listeners = new Set();
    /** While true nothing is heard, as when a cell keeps a kernel busy. */
    this.deaf = false;
    this.missed = [];
    this.interrupts = 0;
    this.pace = 16;
    this.queue = [];
    this.running = null;
    this.uploads = new Map();
    this.deleted = null;
    this.statusSlots = new Set();
    this.search = "";
    /** What the next `ask` fails with. */
    this.refuse = null;
    this.kernel = {
      interrupt: () => {
        this.interrupts++;
        this.hear();
      },
      statusChanged: { connect: (slot) => this.statusSlots.add(slot), disconnect: (slot) => this.statusSlots.delete(slot) },
    };
    this.model = {
      get: (name) => (name === "css" ? this.css : undefined),
      on: (_, callback) => this.listeners.add(callback),
      off: (_, callback) => this.listeners.delete(callback),
      send: (message, _, buffers = []) => this.receive(structuredClone(message), buffers),
      widget_manager: { kernel: this.kernel },
    };
  }

  heard(what) {
    return this.log.some((command) => command.what === what);
  }

  last(what) {
    return this.log.findLast((command) => command.what === what);
  }

  restart() {
    for (const slot of this.statusSlots) slot(null, "restarting");
  }

  /** Free again: hear what was sent meanwhile. */
  hear() {
    this.deaf = false;
    for (const [message, buffers] of this.missed.splice(0)) this.receive(message, buffers);
  }

  send(message, buffers = []) {
    const numbered = { ...message, n: ++this.n };
    setTimeout(() => this.listeners.forEach((callback) => callback(structuredClone(numbered), buffers)));
  }

  /** A message that never arrives. */
  lose() {
    this.n++;
  }

  state(part, value) {
    this.send({ kind: "state", part, value });
  }

  receive(message, buffers) {
    if (this.deaf) {
      this.missed.push([message, buffers]);
      return;
    }
    this.log.push({ ...message, bytes: buffers.map((buffer) => buffer.byteLength) });
    this.send({ kind: "heard", id: message.id });
    const reply = (value = null, out = []) => this.send({ kind: "reply", id: message.id, ok: true, value, error: null }, out);
    const refuse = (error) => this.send({ kind: "reply", id: message.id, ok: false, value: null, error });
    this[`on_${message.what}`](message, reply, refuse, buffers);
  }

  on_hello({ lang }, reply) {
    if (lang[0]?.startsWith("zh")) this.lang = "zh-Hans";
    this.everything();
    reply();
  }

  everything() {
    this.send({ kind: "texts", lang: this.lang, texts: this.texts[this.lang], height: this.height, kept: "" });
    this.state("app", this.app);
    this.state("conversation", this.conversation);
    this.list();
    this.state("variables", null);
    this.state("queue", this.queue);
    this.status();
    this.send({ kind: "turns", items: this.turns, where: "all" });
    for (const patch of this.patches) this.send(patch);
  }

  status(stopping = false, error = null) {
    this.state("status", { running: this.running, stopping, connected: true, error });
  }

  put(item) {
    const at = this.turns.findIndex((turn) => turn.key === item.key);
    if (at < 0) this.turns.push(item);
    else this.turns[at] = item;
    this.send({ kind: "turn", item });
  }

  change(key, changes) {
    const turn = this.turns.find((each) => each.key === key);
    if (turn) this.put({ ...turn, ...changes });
  }

  on_ask(message, reply, refuse) {
    if (this.refuse) {
      refuse(this.refuse);
      this.refuse = null;
      return;
    }
    if (this.running) {
      this.queue.push({ id: `q${message.id}`, query: message.query });
      this.state("queue", this.queue);
      reply();
      return;
    }
    const files = message.files.map((id) => this.uploads.get(id)).filter(Boolean);
    void this.answer(message.query, files);
    reply();
  }

  async answer(query, files = [], key = null) {
    const view = 1000 + this.n;
    key ??= `r${view}`;
    const can = { retry: false, read_on: false, regenerate: false, rate: false, annotate: false, speak: false };
    const begun = { ...this.streamed, key, view, query, files, status: "running", can, suggested: [], nodes: [], facts: "", say: "…" };
    this.running = key;
    this.stopped = false;
    this.put(begun);
    this.status();
    const frames = this.stream;
    for (const patch of frames.slice(0, -1)) {
      if (this.pace) await wait(this.pace);
      if (this.stopped) break;
      this.send({ kind: "patch", patch: { ...patch, view } });
    }
    this.running = null;
    if (this.failing) {
      const { meta, patch } = this.failed;
      this.failing = false;
      this.send({ kind: "patch", patch: { ...patch, view } });
      this.put({ ...meta, key, view, query, files });
    } else {
      if (!this.stopped) this.send({ kind: "patch", patch: { ...frames.at(-1), view } });
      this.put({ ...this.streamed, key, view, query, files, status: this.stopped ? "stopped" : "succeeded" });
    }
    this.status();
    const next = this.queue.shift();
    if (next) {
      this.state("queue", this.queue);
      void this.answer(next.query);
    }
  }

  on_stop(_, reply) {
    this.status(true);
    this.stopped = true;
    reply();
  }

  on_retry({ key }, reply) {
    reply();
    void this.answer(this.turns.find((turn) => turn.key === key).query, [], key);
  }

  on_regenerate({ key }, reply) {
    reply();
    void this.answer(this.turns.find((turn) => turn.key === key).query);
  }

  on_unqueue({ queue }, reply) {
    this.queue = this.queue.filter((each) => each.id !== queue);
    this.state("queue", this.queue);
    reply();
  }

  on_rate({ key, rating, comment }, reply) {
    this.change(key, { rating, comment });
    reply();
  }

  on_annotate({ key }, reply) {
    this.change(key, { annotated: true });
    reply();
  }

  list(more = false) {
    const found = this.conversations.filter((each) => each.name.includes(this.search));
    this.state("conversations", { items: found, more, loading: false, search: this.search, deleted: this.deleted });
  }

  on_conversations({ search }, reply) {
    this.search = search;
    this.list();
    reply();
  }

  on_open({ conversation }, reply) {
    for (const each of this.conversations) each.current = each.id === conversation;
    const { id, name } = this.conversations.find((each) => each.current);
    this.turns = this.turns.slice(0, 2);
    this.conversation = { ...this.conversation, id, name };
    this.everything();
    reply();
  }

  on_new(_, reply) {
    for (const each of this.conversations) each.current = false;
    this.turns = [];
    this.patches = [];
    this.conversation = { ...this.conversation, id: null, name: "", totals: "", older: false };
    this.everything();
    reply();
  }

  on_rename({ conversation, name }, reply) {
    for (const each of this.conversations) if (each.id === conversation) each.name = name ?? "✨ A name";
    this.list();
    reply();
  }

  on_delete({ conversation }, reply) {
    const gone = this.conversations.find((each) => each.id === conversation);
    this.kept = [gone, this.conversations.indexOf(gone)];
    this.conversations = this.conversations.filter((each) => each !== gone);
    this.deleted = { id: gone.id, name: gone.name };
    this.list();
    reply();
  }

  on_undo(_, reply) {
    this.conversations.splice(this.kept[1], 0, this.kept[0]);
    this.deleted = null;
    this.list();
    reply();
  }

  on_older(_, reply) {
    const first = this.turns[0];
    const items = this.older.splice(-8).map((turn) => turn);
    this.turns.unshift(...items);
    this.send({ kind: "turns", items, where: "older" });
    for (const { view } of items) this.send({ kind: "patch", patch: { ...this.patches[0].patch, view } });
    this.conversation = { ...this.conversation, older: this.older.length > 0 };
    this.state("conversation", this.conversation);
    reply(first && null);
  }

  on_variables(_, reply) {
    this.state("variables", { items: this.variables });
    reply();
  }

  on_set_variable({ variable, value }, reply) {
    for (const each of this.variables) if (each.id === variable) each.value = value;
    this.state("variables", { items: this.variables });
    reply();
  }

  async on_upload({ upload, name, type, size }, reply, refuse) {
    for (let sent = 0; sent < 4; sent++) {
      this.send({ kind: "progress", upload, sent: (sent * size) / 4, total: size, file: null, error: null });
      await wait(this.pace);
      while (this.holding) await wait(16);
    }
    if (/bad/.test(name)) {
      const error = { message: `The server refused ${name}.`, hint: null };
      this.send({ kind: "progress", upload, sent: 0, total: size, file: null, error });
      refuse(error);
      return;
    }
    const file = { id: upload, name, type: type.split("/")[0], size, thumb: null };
    this.uploads.set(upload, file);
    this.send({ kind: "progress", upload, sent: size, total: size, file, error: null });
    reply();
  }

  on_upload_part({ upload }, reply) {
    reply(upload && null);
  }

  on_upload_cancel(_, reply) {
    reply();
  }

  on_hear(_, reply) {
    reply({ text: "spoken words" });
  }

  /** Half a second of silence. */
  sound() {
    const data = new DataView(new ArrayBuffer(44 + 8000));
    const write = (at, text) => [...text].forEach((char, i) => data.setUint8(at + i, char.charCodeAt(0)));
    write(0, "RIFF");
    data.setUint32(4, 36 + 8000, true);
    write(8, "WAVEfmt ");
    data.setUint32(16, 16, true);
    data.setUint16(20, 1, true);
    data.setUint16(22, 1, true);
    data.setUint32(24, 8000, true);
    data.setUint32(28, 16000, true);
    data.setUint16(32, 2, true);
    data.setUint16(34, 16, true);
    write(36, "data");
    data.setUint32(40, 8000, true);
    return data;
  }

  /** Two seconds of silence as mp3: frames of 1152 samples at 44,100 a second. */
  silence() {
    const frames = 77;
    const bytes = new Uint8Array(104 * frames);
    for (let at = 0; at < bytes.length; at += 104) bytes.set([0xff, 0xfb, 0x10, 0xc4], at);
    return bytes.buffer;
  }

  on_speak(_, reply) {
    reply({ mime: "audio/wav" }, [this.sound()]);
  }

  on_sound(_, reply) {
    reply({ mime: "audio/wav" }, [this.sound()]);
  }

  on_file(_, reply) {
    reply({ name: "prices.csv", mime: "text/csv" }, [new DataView(new TextEncoder().encode("item,price\n").buffer)]);
  }

  on_node(_, reply) {
    reply(this.node);
  }

  on_copy({ key, as }, reply) {
    const { query } = this.turns.find((turn) => turn.key === key);
    reply({ text: as === "cell" ? `%%dify\n${query}` : `**${query}**` });
  }

  on_export({ as }, reply) {
    reply({ name: as === "cells" ? "chat.ipynb" : "chat.md", text: "# Chat" });
  }
}

const { attrs, vars, background } = window.THEME;
for (const [name, value] of Object.entries(attrs)) document.body.setAttribute(name, value);
for (const [name, value] of Object.entries(vars)) document.documentElement.style.setProperty(name, value);
document.body.style.background = background;

const kernel = (window.kernel = new Kernel(window.SAMPLE));
/** Show the panel (again): as when a page is loaded. */
window.mount = () => {
  const parts = widget();
  const end = parts.initialize({ model: kernel.model });
  const unshow = parts.render({ model: kernel.model, el: document.getElementById("panel") });
  window.unmount = () => {
    unshow();
    end();
  };
};
window.mount();
