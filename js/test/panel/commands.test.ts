import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ANSWER, Commands, Refused } from "../../src/panel/commands";
import type { FromBrowser } from "../../src/panel/protocol.gen";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const made = () => {
  const sent: FromBrowser[] = [];
  const commands = new Commands((message) => sent.push(message), () => {});
  return { commands, sent };
};
const reply = (id: number, ok = true) =>
  ({ kind: "reply", n: 1, id, ok, value: ok ? "v" : null, error: ok ? null : { message: "no", hint: "do" } }) as const;

describe("a command", () => {
  it("carries numbers that grow by one", () => {
    const { commands, sent } = made();
    commands.do({ what: "stop" });
    commands.do({ what: "new" });
    expect(sent[1]!.id - sent[0]!.id).toBe(1);
    expect(sent.map(({ kind, what }) => `${kind} ${what}`)).toEqual(["do stop", "do new"]);
  });

  it("is late when nothing was heard in time, and no longer when it was", () => {
    const { commands } = made();
    const { id } = commands.do({ what: "stop" });
    vi.advanceTimersByTime(ANSWER - 1);
    expect(commands.late("stop")).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(commands.late("stop")).toHaveLength(1);
    expect(commands.late("ask")).toHaveLength(0);
    commands.heard({ kind: "heard", n: 1, id });
    expect(commands.late("stop")).toHaveLength(0);
  });

  it("that is heard in time is never late, however long it takes", () => {
    const { commands } = made();
    const { id } = commands.do({ what: "new" });
    commands.heard({ kind: "heard", n: 1, id });
    vi.advanceTimersByTime(60_000);
    expect(commands.late("new")).toHaveLength(0);
  });

  it("ends with the value and buffers of its reply", async () => {
    const { commands } = made();
    const sent = commands.do({ what: "speak", key: "t" });
    const buffer = new DataView(new ArrayBuffer(1));
    commands.replied(reply(sent.id), [buffer]);
    await expect(sent.answer).resolves.toEqual({ value: "v", buffers: [buffer] });
    expect(commands.open.size).toBe(0);
  });

  it("ends with the kernel's words when it could not be done", async () => {
    const { commands } = made();
    const sent = commands.do({ what: "speak", key: "t" });
    commands.replied(reply(sent.id, false), []);
    const error = await sent.answer.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({ message: "no", hint: "do" });
  });

  it("of another browser is none of ours", () => {
    const { commands } = made();
    const sent = commands.do({ what: "stop" });
    commands.heard({ kind: "heard", n: 1, id: sent.id + 1 });
    commands.replied(reply(sent.id + 1), []);
    expect(commands.open.size).toBe(1);
  });

  it("fails when the kernel is gone", async () => {
    const { commands } = made();
    const sent = commands.do({ what: "stop" });
    commands.abandon("gone");
    await expect(sent.answer).rejects.toThrow("gone");
    vi.advanceTimersByTime(ANSWER);
    expect(commands.late("stop")).toHaveLength(0);
  });
});
