import { describe, expect, it, vi } from "vitest";
import { Commands } from "../../src/panel/commands";
import type { FromBrowser, Progress } from "../../src/panel/protocol.gen";
import { PIECE, Uploads, WHOLE } from "../../src/panel/uploads";

const made = (refuse: (message: FromBrowser) => string | null = () => null) => {
  const sent: [FromBrowser, number[]][] = [];
  const commands = new Commands(
    (message, buffers) => {
      sent.push([message, buffers.map((buffer) => buffer.byteLength)]);
      const error = refuse(message);
      queueMicrotask(() => {
        const problem = error === null ? null : { message: error, hint: null };
        commands.replied({ kind: "reply", n: 1, id: message.id, ok: !problem, value: null, error: problem }, []);
      });
    },
    () => {},
  );
  let told: (() => void)[] = [];
  const uploads = new Uploads(commands, () => told.splice(0).forEach((tell) => tell()));
  const until = async (done: () => boolean) => {
    while (!done()) await new Promise<void>((resolve) => told.push(resolve));
  };
  return { uploads, sent, until };
};
const file = (size: number, name = "a.bin") => new File([new Uint8Array(size)], name, { type: "application/x-test" });
const progress = (upload: string, changes: Partial<Progress>): Progress => ({
  kind: "progress", n: 1, upload, sent: 0, total: 100, file: null, error: null, ...changes,
});
const arrived = (id: string) => ({ id, name: "a.bin", type: "document", size: 3, thumb: null });

describe("an upload", () => {
  it("goes in one message when it is small", async () => {
    const { uploads, sent } = made();
    const item = uploads.add(file(3));
    await vi.waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toMatchObject([{ what: "upload", upload: item.id, size: 3, field: null }, [3]]);
  });

  it("goes in pieces when it is large, each after the last was taken", async () => {
    const { uploads, sent, until } = made();
    const size = WHOLE + PIECE / 2;
    const item = uploads.add(file(size));
    await until(() => item.done >= 0.5);
    const parts = sent.slice(1).map(([message]) => message as { offset: number; last: boolean });
    expect(sent[0]).toMatchObject([{ what: "upload" }, []]);
    expect(parts.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4].map((n) => n * PIECE));
    expect(parts.map(({ last }) => last)).toEqual([false, false, false, false, true]);
    expect(sent.slice(1).reduce((sum, [, sizes]) => sum + sizes[0]!, 0)).toBe(size);
  });

  it("grows, never shrinks, and is ready with its file", () => {
    const { uploads } = made();
    const item = uploads.add(file(3));
    uploads.progress(progress(item.id, { sent: 50 }));
    uploads.progress(progress(item.id, { sent: 20 }));
    expect([item.done, item.file]).toEqual([0.5, null]);
    uploads.progress(progress(item.id, { sent: 100, file: arrived(item.id) }));
    expect(item.file).toBeTruthy();
  });

  it("says what the kernel or the server refused", async () => {
    const { uploads, until } = made(() => "too large");
    const item = uploads.add(file(3));
    await until(() => item.error !== null);
    expect(item.error).toBe("too large");
    const other = uploads.add(file(3));
    uploads.progress(progress(other.id, { error: { message: "refused", hint: null } }));
    expect(other.error).toBe("refused");
  });

  it("that is taken away while it goes is cancelled; one that has arrived is just forgotten", () => {
    const { uploads, sent } = made();
    const [one, two] = [uploads.add(file(3)), uploads.add(file(3))];
    uploads.progress(progress(two.id, { file: arrived(two.id) }));
    uploads.remove(one.id);
    uploads.remove(two.id);
    expect(uploads.items).toEqual([]);
    const cancelled = sent.filter(([message]) => message.what === "upload_cancel");
    expect(cancelled.map(([message]) => (message as { upload: string }).upload)).toEqual([one.id]);
  });

  it("goes out with its question, and comes back when that did not", () => {
    const { uploads } = made();
    const item = uploads.add(file(3));
    uploads.add(file(3), "photo");
    const taken = uploads.take(null);
    expect([taken, uploads.of(null)]).toEqual([[item], []]);
    uploads.giveBack(taken);
    expect(uploads.of(null)).toEqual([item]);
    expect(uploads.of("photo")).toHaveLength(1);
  });
});
