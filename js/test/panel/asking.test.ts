import { beforeEach, describe, expect, it, vi } from "vitest";
import { Panel, type Model } from "../../src/panel/panel";
import type { FormState } from "../../src/protocol.gen";
import type { FromBrowser, FromKernel } from "../../src/panel/protocol.gen";

const PLACE = "dn-kept-form-1";
const labels = {
  lang: "en", required: "required", choose: "Choose", missing: "Fill in {name}", expires: "{time}", expired: "Expired",
  sending: "Sending", silent: "Busy", gone: "Gone",
};
const field = (name: string, control: "area" | "file", many = false) => ({
  blocks: [], field: { name, control, label: name, value: "", options: [], required: control === "file", note: "", many },
});
const form = (changes: Partial<FormState> = {}): FormState => ({
  place: PLACE, status: "waiting", title: "First", parts: [field("0", "area")],
  actions: [{ id: "0", title: "Approve", style: "primary" }], left: 60, labels, error: "", ...changes,
});

let hear: (message: FromKernel, buffers?: DataView[]) => void;
let sent: FromBrowser[];
let panel: Panel;
let place: HTMLElement;
let n = 0;
const give = (message: Record<string, unknown>) => hear({ ...message, n: ++n } as unknown as FromKernel);
const tell = (forms: FormState[], status = "paused") =>
  give({ kind: "turn", item: { key: "t1", view: 1, query: "q", status, say: null, forms, can: {} } });
const shown = () => place.shadowRoot!;
const press = () => shown().querySelector<HTMLButtonElement>("button")!.click();
const last = (what: string) => sent.findLast((message) => message.what === what) as unknown as Record<string, unknown>;
const reply = (ok: boolean, message = "") =>
  give({ kind: "reply", id: last("submit")["id"], ok, value: null, error: ok ? null : { message, hint: null } });

beforeEach(() => {
  n = 0;
  sent = [];
  const model: Model = {
    get: () => "",
    on: (_, callback) => (hear = callback),
    off: () => {},
    send: (message) => sent.push(message),
  };
  panel = new Panel(model);
  give({ kind: "texts", lang: "en", texts: { uploading: "{name} {percent}" } });
  document.body.innerHTML = `<div id="turn"><div class="${PLACE}">kept</div></div>`;
  place = document.querySelector<HTMLElement>(`.${PLACE}`)!;
  tell([form()]);
  panel.places.show(document.querySelector("#turn")!);
});

describe("a form of a run", () => {
  it("stands in the place of its blocks, and goes when its run has gone on", () => {
    expect(shown().querySelector(".form")).toBeTruthy();
    tell([], "running");
    expect(shown().querySelector(".form")).toBeNull();
    expect(shown().querySelector("slot")).toBeTruthy();
  });

  it("sends what was typed by numbers, with the turn that it is in", () => {
    const area = shown().querySelector("textarea")!;
    area.value = "mine";
    press();
    expect(last("submit")).toMatchObject({ what: "submit", key: "t1", form: PLACE, action: "0", inputs: { "0": "mine" } });
    press();
    expect(sent.filter(({ what }) => what === "submit")).toHaveLength(1);
  });

  it("may be pressed again when it was refused, and says why once", async () => {
    press();
    tell([form({ status: "sending", left: 50 })]);
    tell([form({ error: "No.", left: 40 })]);
    reply(false, "No.");
    await vi.waitFor(() => expect(shown().querySelector("[role=alert]")!.textContent).toBe("No."));
    expect(panel.notice).toBeNull();
    press();
    expect(sent.filter(({ what }) => what === "submit")).toHaveLength(2);
  });

  it("has its failure told beside it where it has gone meanwhile", async () => {
    press();
    tell([], "running");
    reply(false, "This form waits no more.");
    await vi.waitFor(() => expect(panel.notice?.message).toBe("This form waits no more."));
  });

  it("counts on while the same is told again", () => {
    const update = vi.spyOn(panel.places, "set");
    tell([form()]);
    expect(update).not.toHaveBeenCalled();
    tell([form({ status: "sending" })]);
    expect(update).toHaveBeenCalledOnce();
  });

  it("says so when its kernel has gone", () => {
    const view = shown().querySelector(".form")!;
    panel.places.end();
    expect(view.textContent).toContain("Gone");
  });
});

describe("a file of a form", () => {
  beforeEach(() => {
    tell([form({ parts: [field("0", "file")], left: 30 })]);
    place.replaceWith((place = document.createElement("div")));
    place.className = PLACE;
    panel.places.show(document.querySelector("#turn")!);
  });

  it("goes up for that form, and is named when it has arrived", async () => {
    const input = shown().querySelector<HTMLInputElement>("input[type=file]")!;
    expect(input.multiple).toBe(false);
    const file = new File(["abc"], "a.txt", { type: "text/plain" });
    Object.defineProperty(input, "files", { value: [file] });
    input.dispatchEvent(new Event("change"));
    await vi.waitFor(() => expect(last("upload")).toMatchObject({ field: "0", form: PLACE, name: "a.txt" }));
    press();
    expect(last("submit"), "it is on its way still").toBeUndefined();
    const { upload } = last("upload");
    give({ kind: "progress", upload, sent: 3, total: 3, file: { id: upload, name: "a.txt", type: "document", size: 3, thumb: null }, error: null });
    await vi.waitFor(() => expect(shown().textContent).toContain("a.txt (3 B)"));
    press();
    expect(last("submit")).toMatchObject({ inputs: { "0": [upload] } });
    reply(true);
    await vi.waitFor(() => expect(panel.uploads.items).toEqual([]));
  });
});
