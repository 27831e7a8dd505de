// Files on their way to the server: to the kernel in pieces, from there by the client. The key stays in the kernel.
import type { Commands } from "./commands";
import type { Attachment, Progress } from "./protocol.gen";

/** Bytes of a file that goes in one message. */
export const WHOLE = 4 * 2 ** 20;
/** Bytes of a piece of a larger one. */
export const PIECE = 2 ** 20;

export interface Item {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  /** The form's field that it is for; null for an attachment of the question. */
  readonly field: string | null;
  /** The form of a run that the field is in; null for the app's own. */
  readonly form: string | null;
  /** A picture to show before the kernel has one. */
  readonly preview: string | null;
  /** 0 to 1, to the kernel and then to the server. */
  done: number;
  file: Attachment | null;
  error: string | null;
}

export class Uploads {
  items: Item[] = [];

  constructor(
    private readonly commands: Commands,
    private readonly changed: () => void,
  ) {}

  /** Begin; the item changes as it goes on. */
  add(file: File, field: string | null = null, form: string | null = null): Item {
    const preview = file.type.startsWith("image/") && file.type !== "image/svg+xml" ? URL.createObjectURL(file) : null;
    const { name, type, size } = file;
    // Not randomUUID: pages without https lack it.
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    const item: Item = { id, name, type, size, field, form, preview, done: 0, file: null, error: null };
    this.items = [...this.items, item];
    this.changed();
    void this.#send(item, file);
    return item;
  }

  /** One that is at the server already, for a field of the form. */
  have(file: Attachment, field: string): void {
    const { id, name, type, size } = file;
    const item: Item = { id, name, type, size: size ?? 0, field, form: null, preview: null, done: 1, file, error: null };
    this.items = [...this.items, item];
  }

  of(field: string | null, form: string | null = null): Item[] {
    return this.items.filter((item) => item.field === field && item.form === form);
  }

  remove(id: string): void {
    const item = this.items.find((each) => each.id === id);
    if (!item) return;
    if (!item.file && !item.error) this.commands.do({ what: "upload_cancel", upload: id });
    this.#drop([item]);
  }

  /** They go out with a question: no longer in the list, but kept until it has arrived. */
  take(field: string | null): Item[] {
    const taken = this.of(field);
    this.items = this.items.filter((item) => !taken.includes(item));
    return taken;
  }

  /** The form that they were for is answered. */
  answered(form: string): void {
    this.#drop(this.items.filter((item) => item.form === form));
  }

  /** The question did not go out. */
  giveBack(items: Item[]): void {
    this.items = [...items, ...this.items];
    this.changed();
  }

  /** The question has arrived. */
  forget(items: Item[]): void {
    for (const { preview } of items) if (preview) URL.revokeObjectURL(preview);
  }

  progress(message: Progress): void {
    const item = this.items.find((each) => each.id === message.upload);
    if (!item) return;
    // Half of the way is to the kernel, half from there; a whole file is at the kernel at once.
    const half = item.size > WHOLE ? 0.5 : 0;
    item.done = Math.max(item.done, half + (1 - half) * (message.total ? message.sent / message.total : 0));
    if (message.file) item.file = message.file;
    if (message.error) this.#fail(item, message.error.message);
    this.changed();
  }

  #drop(gone: Item[]): void {
    this.forget(gone);
    this.items = this.items.filter((item) => !gone.includes(item));
    this.changed();
  }

  #fail(item: Item, message: string): void {
    item.error = message || "!";
    this.changed();
  }

  async #send(item: Item, file: File): Promise<void> {
    const { id: upload, name, type, size, field, form } = item;
    const order = { what: "upload", upload, name, type, size, field, form } as const;
    try {
      if (size <= WHOLE) {
        await this.commands.do(order, await file.arrayBuffer()).answer;
        return;
      }
      const begun = this.commands.do(order).answer;
      // The begin is replied to at the end of all; each piece when it was taken, so that no more than one travels.
      begun.catch((error: Error) => this.#fail(item, error.message));
      for (let offset = 0; offset < size && this.items.includes(item) && !item.error; offset += PIECE) {
        const piece = await file.slice(offset, offset + PIECE).arrayBuffer();
        const last = offset + PIECE >= size;
        await this.commands.do({ what: "upload_part", upload, offset, last }, piece).answer;
        item.done = Math.max(item.done, (0.5 * Math.min(size, offset + PIECE)) / size);
        this.changed();
      }
    } catch (error) {
      this.#fail(item, error instanceof Error ? error.message : String(error));
    }
  }
}
