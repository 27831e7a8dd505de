// One form of a run that waits for a person: its fields and buttons, and what became of it. It knows no language.
import type { FormAction, FormField, FormState } from "./protocol.gen";
import { create } from "./draw";
import { Countdown } from "./countdown";

/** While a form is filled in, the box of its place is the form's own. */
export const PLACE_STYLE = ":host{display:block;background:none!important;border:0!important;padding:0!important;margin:8px 0!important}";

export const FORM_STYLE = `.form+slot{display:block;margin-top:8px}
.form{--paper:var(--jp-layout-color1,var(--vscode-editor-background,#fff));--ink:var(--jp-ui-font-color1,var(--vscode-editor-foreground,#222));
--line:color-mix(in srgb,var(--ink) 55%,var(--paper));--main:color-mix(in srgb,#2b59d9 62%,var(--ink));--bad:color-mix(in srgb,#d92d20 68%,var(--ink));
background:var(--paper);color:var(--ink);font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif)}
.form{border:1px solid color-mix(in srgb,var(--ink) 25%,var(--paper));border-left:3px solid var(--main);border-radius:6px;padding:10px 14px;max-width:46rem}
.title{font-weight:600;margin-bottom:4px}
.field{margin:6px 0 10px}
.field label{display:block;font-weight:600;overflow-wrap:anywhere}
.need,.hint,.time{font-weight:400;color:color-mix(in srgb,var(--ink) 75%,var(--paper));font-size:12.5px}
.field :is(input,select,textarea){box-sizing:border-box;width:100%;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);
border-radius:4px;padding:5px 8px;margin-top:2px}
.field textarea{min-height:4.6em;resize:vertical}
.field [aria-invalid]{border:2px solid var(--bad)}
.row{display:flex;flex-wrap:wrap;gap:6px 8px;align-items:center;margin-top:8px}
.row button{font:inherit;border:1px solid var(--line);border-radius:4px;padding:4px 14px;background:var(--paper);color:var(--ink);cursor:pointer;
overflow-wrap:anywhere}
.row .primary{background:var(--main);border-color:var(--main);color:var(--paper);font-weight:600}
.row .accent{border-color:var(--main);color:var(--main);font-weight:600}
.row .ghost{border-color:transparent;text-decoration:underline}
.row button[aria-disabled]{opacity:.75;cursor:default}
.time{margin-left:auto;font-variant-numeric:tabular-nums}
:is(input,select,textarea,button,.state):focus-visible{outline:2px solid var(--main);outline-offset:1px}
.problem,.error{color:var(--bad);font-weight:600;overflow-wrap:anywhere}
.error:not(:empty),.state:not(:empty){margin-top:8px}
.form .dn{padding:0;max-width:none;background:none;color:inherit}
.form .dn>:first-child{margin-top:0}
.field [readonly]{border-style:dashed}
.told{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (forced-colors:active){.row .primary{border-width:3px}}`;

/** What somebody has typed, kept where the element that shows it is replaced. */
export interface Draft {
  values: Map<string, string>;
  /** The field that had the keyboard when its element was taken away; "" for what the form says of itself. */
  focus: string | null;
}

/** A control for a file, where there is a way to send one; its value is undefined without a file. */
export interface FileControl {
  el: HTMLElement;
  value(): unknown;
}

export interface FormHooks {
  submit(action: string, inputs: Record<string, unknown>): void;
  file?(field: FormField, state: FormState): FileControl;
}

/** Milliseconds after which a form says that its kernel has other work. */
const PATIENCE = 2500;

let forms = 0;

interface Control {
  field: FormField;
  /** What has the keyboard when it has. */
  el: HTMLElement;
  value(): unknown;
  problem: HTMLElement;
}

export class FormView {
  readonly el: HTMLElement;
  private readonly id = `dn-form-${++forms}`;
  private readonly controls: Control[] = [];
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly error: HTMLElement;
  private readonly status: HTMLElement;
  private readonly countdown: Countdown;
  private pressed = false;
  private ended = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly doc: Document,
    private state: FormState,
    private readonly draft: Draft,
    private readonly hooks: FormHooks,
  ) {
    const form = (this.el = this.make("div", "form"));
    form.setAttribute("role", "group");
    form.setAttribute("aria-labelledby", `${this.id}-title`);
    form.addEventListener("keydown", (event) => this.key(event));
    form.addEventListener("focusin", (event) => this.keep(event.target));
    form.addEventListener("focusout", () => queueMicrotask(() => this.el.isConnected && !this.focused() && (this.draft.focus = null)));
    const title = this.make("div", "title", state.title);
    title.id = `${this.id}-title`;
    form.append(title);
    for (const part of state.parts) {
      if (part.blocks.length) form.append(this.make("div", "dn"));
      for (const block of part.blocks) form.lastElementChild!.append(create(doc, block));
      if (part.field) form.append(this.field(part.field));
    }
    const row = this.make("div", "row");
    for (const action of state.actions) row.append(this.button(action));
    const said = this.make("div", "told");
    said.setAttribute("role", "status");
    this.countdown = new Countdown(doc, state.labels, said, () => this.refresh());
    row.append(this.countdown.el);
    this.error = this.make("div", "error");
    this.error.setAttribute("role", "alert");
    this.status = this.make("div", "state");
    this.status.setAttribute("role", "status");
    this.status.tabIndex = -1;
    form.append(row, said, this.error, this.status);
    this.update(state);
  }

  /** Show what the kernel says of it now; what was typed stays. */
  update(state: FormState): void {
    this.state = state;
    clearTimeout(this.timer);
    this.pressed = state.status === "sending";
    if (this.error.textContent !== state.error) this.error.textContent = state.error;
    this.countdown.start(state.status === "expired" ? 0 : state.left);
    this.refresh();
  }

  /** The kernel of this form has ended; `bare` leaves nothing but a sentence that says so. */
  end(bare: boolean): void {
    this.ended = true;
    this.refresh();
    if (bare) this.el.replaceChildren(this.status);
  }

  remove(): void {
    clearTimeout(this.timer);
    this.countdown.stop();
    this.el.remove();
  }

  /** Give the keyboard back to what had it before the element was made anew, if nothing else has taken it. */
  resume(): void {
    const { focus } = this.draft;
    const root = this.el.getRootNode() as ShadowRoot;
    const active = this.doc.activeElement;
    if (focus === null || !this.el.isConnected || (active && !active.contains(root.host ?? this.el))) return;
    const control = this.controls.find(({ field }) => field.name === focus);
    (control?.el ?? this.status).focus({ preventScroll: true });
  }

  /** Whether an answer may be given now. */
  private get open(): boolean {
    return !this.pressed && !this.ended && this.state.status === "waiting" && !this.countdown.over;
  }

  private refresh(): void {
    const { labels, status } = this.state;
    const text = this.ended ? labels.gone : this.pressed ? labels.sending : status === "expired" || this.countdown.over ? labels.expired : "";
    if (this.status.textContent !== text) this.status.textContent = text;
    // Not `disabled`: that would throw the keyboard's focus out of the form.
    for (const button of this.buttons) {
      if (this.open) button.removeAttribute("aria-disabled");
      else button.setAttribute("aria-disabled", "true");
    }
    if (this.ended) this.countdown.stop();
  }

  private press(action: string): void {
    if (!this.open) return;
    this.error.textContent = "";
    const inputs: Record<string, unknown> = {};
    let first: HTMLElement | null = null;
    for (const { field, el, value, problem } of this.controls) {
      const given = value();
      const lacks = given === undefined && field.required;
      problem.textContent = lacks ? this.state.labels.missing.replaceAll("{name}", () => field.label) : "";
      if (lacks) el.setAttribute("aria-invalid", "true");
      else el.removeAttribute("aria-invalid");
      if (lacks) first ??= el;
      if (given !== undefined) inputs[field.name] = given;
    }
    if (first) return first.focus();
    this.pressed = true;
    this.draft.focus = "";
    this.timer = setTimeout(() => (this.status.textContent = this.state.labels.silent), PATIENCE);
    this.refresh();
    this.hooks.submit(action, inputs);
  }

  private key(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.isComposing || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const main = this.main();
    if (main) this.press(main.id);
  }

  /** The one action that is plainly meant: the only one, or the only primary one. */
  private main(): FormAction | undefined {
    const { actions } = this.state;
    const primary = actions.filter(({ style }) => style === "primary");
    return actions.length === 1 ? actions[0] : primary.length === 1 ? primary[0] : undefined;
  }

  private focused(): boolean {
    return this.el.contains((this.el.getRootNode() as ShadowRoot).activeElement);
  }

  private keep(target: EventTarget | null): void {
    const control = this.controls.find(({ el }) => el === target);
    this.draft.focus = control?.field.name ?? "";
  }

  private button(action: FormAction): HTMLButtonElement {
    const button = this.make("button", action.style, action.title) as HTMLButtonElement;
    button.type = "button";
    button.dataset["action"] = action.id;
    if (action === this.main()) button.setAttribute("aria-keyshortcuts", "Control+Enter Meta+Enter");
    button.addEventListener("click", () => this.press(action.id));
    this.buttons.push(button);
    return button;
  }

  private field(field: FormField): HTMLElement {
    const id = `${this.id}-${field.name}`;
    const row = this.make("div", "field");
    const label = this.make("label", "", field.label) as HTMLLabelElement;
    label.htmlFor = id;
    if (field.required) label.append(" ", this.make("span", "need", this.state.labels.required));
    const problem = this.make("div", "problem");
    const { el, value } = this.control(field, problem);
    el.id = id;
    problem.id = `${id}-problem`;
    const hint = this.make("div", "hint", field.note);
    hint.id = `${id}-hint`;
    el.setAttribute("aria-describedby", field.note ? `${problem.id} ${hint.id}` : problem.id);
    if (field.required && el.localName !== "div") el.setAttribute("aria-required", "true");
    row.append(label, el, problem);
    if (field.note) row.append(hint);
    this.controls.push({ field, el, value, problem });
    return row;
  }

  private control(field: FormField, problem: HTMLElement): Pick<Control, "el" | "value"> {
    const { values } = this.draft;
    if (field.control === "file") {
      if (this.hooks.file) return this.hooks.file(field, this.state);
      const input = this.make("input", "") as HTMLInputElement;
      input.readOnly = true;
      input.value = field.value;
      return { el: input, value: () => (field.value ? field.value : undefined) };
    }
    const el = this.make({ area: "textarea", line: "input", choice: "select" }[field.control], "") as HTMLInputElement;
    if (field.control === "choice") {
      for (const [value, text] of [["", this.state.labels.choose], ...field.options.map((option, n) => [String(n), option])]) {
        const option = this.make("option", "", text) as HTMLOptionElement;
        option.value = value!;
        el.append(option);
      }
    }
    el.value = values.get(field.name) ?? field.value;
    el.addEventListener("input", () => {
      values.set(field.name, el.value);
      el.removeAttribute("aria-invalid");
      problem.textContent = "";
    });
    return { el, value: () => (field.control === "choice" && el.value === "" ? undefined : el.value) };
  }

  private make(tag: string, name: string, text?: string): HTMLElement {
    const el = this.doc.createElement(tag);
    if (name) el.className = name;
    if (text) el.textContent = text;
    return el;
  }
}
