// The whole panel.
import { h, Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Composer, attachFiles } from "./composer";
import { pickFiles, room } from "./fields";
import { faults, isFile } from "./form";
import { Header, type SheetName } from "./header";
import { Icon } from "./icons";
import { Notices } from "./notices";
import type { Panel } from "./panel";
import type { TurnMeta } from "./protocol.gen";
import { accepts } from "./rules";
import { RunPage } from "./run";
import { AnnotateSheet, InputsSheet, StepsSheet, VariablesSheet } from "./sheets";
import { Sidebar } from "./sidebar";
import { Transcript } from "./transcript";
import { Button, PanelContext, Sheet, usePanel } from "./ui";

/** Pixels of width from which the list of conversations stands beside the transcript. */
const WIDE = 760;
/** Pixels under which it covers the transcript. */
const NARROW = 560;

type Open =
  | { sheet: SheetName; strict?: boolean }
  | { steps: TurnMeta }
  | { annotate: TurnMeta }
  | { text: string; title: string }
  | { interrupt: true };

export function App({ panel, host }: { panel: Panel; host: HTMLElement }) {
  const [, redraw] = useState(0);
  // Not in an effect after the paint: what comes until then would not be shown.
  useLayoutEffect(() => panel.store.watch(() => redraw((n) => n + 1)), [panel]);
  const { store } = panel;
  return (
    <PanelContext.Provider value={panel}>
      {store.texts && store.app ? <Main host={host} /> : <Connecting />}
      <Live />
    </PanelContext.Provider>
  );
}

/** Before the kernel has said anything there are no words, but for these. */
function Connecting() {
  const panel = usePanel();
  const { store, t } = panel;
  const { error } = store.status;
  const chinese = navigator.language.toLowerCase().startsWith("zh");
  const word = store.texts ? t("connecting") : chinese ? "正在连接内核……" : "Asking the kernel …";
  return (
    <div class="connecting" role="status">
      {error ? (
        <>
          <p>{error.message}</p>
          <p>{error.hint}</p>
          <Button class="button" onClick={() => panel.greet()}>
            {t("retry")}
          </Button>
        </>
      ) : (
        <>
          <span class="pulse" />
          <p>{word}</p>
        </>
      )}
    </div>
  );
}

/** What a screen reader is told: each line is added, so that none replaces another before it was read. */
function Live() {
  const { said } = usePanel();
  const lines = useRef<[number, string][]>([]);
  if (said && lines.current.at(-1)?.[1] !== said) {
    const next = (lines.current.at(-1)?.[0] ?? 0) + 1;
    lines.current = [...lines.current.slice(-4), [next, said]];
  }
  return (
    <div class="sr" role="status" aria-live="polite" aria-atomic="false">
      {lines.current.map(([key, text]) => (
        <p key={key}>{text}</p>
      ))}
    </div>
  );
}

function Main({ host }: { host: HTMLElement }) {
  const panel = usePanel();
  const { store, t } = panel;
  const app = store.app!;
  const nth = host.dataset["nth"]!;
  const root = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<Open | null>(null);
  const [strict, setStrict] = useState(false);
  const [wide, setWide] = useState<boolean | null>(null);
  const [narrow, setNarrow] = useState(false);
  const [sidebar, setSidebar] = useState<boolean | null>(null);
  const [dropping, setDropping] = useState(false);
  const close = () => setOpen(null);
  const beside = sidebar ?? wide ?? false;
  const covers = beside && narrow;

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width } = entry!.contentRect;
      setWide(width >= WIDE);
      setNarrow((was) => {
        // A list that would cover the transcript begins hidden.
        if (width < NARROW && !was) setSidebar(null);
        return width < NARROW;
      });
    });
    observer.observe(root.current!);
    return () => observer.disconnect();
  }, []);

  const ask = (query: string): boolean => {
    if (panel.lost) return false;
    if (!store.conversation?.frozen && faults(app.form, panel.draft).size) {
      setStrict(true);
      const names = [...faults(app.form, panel.draft).keys()];
      const labels = app.form.filter((field) => names.includes(field.name)).map((field) => field.label);
      panel.say(t("inputs_missing", { names: labels.join(", ") }));
      const field = root.current?.querySelector<HTMLElement>(`.welcome [data-field="${CSS.escape(names[0]!)}"]`);
      if (field) field.focus();
      else setOpen({ sheet: "inputs", strict: true });
      return false;
    }
    panel.ask(query);
    return true;
  };
  const opens = {
    onSteps: (steps: TurnMeta) => setOpen({ steps }),
    onAnnotate: (annotate: TurnMeta) => setOpen({ annotate }),
    onText: (title: string, text: string) => setOpen({ title, text }),
  };
  // What had the keyboard's focus may be gone with what it did: go on where one writes.
  const focused = useRef<HTMLElement | null>(null);
  useLayoutEffect(() => {
    if (!focused.current || focused.current.isConnected) return;
    focused.current = null;
    root.current!.querySelector<HTMLElement>(".composer textarea, .go")?.focus({ preventScroll: true });
  });

  /** Files are for us, not for the notebook. */
  const takes = (event: DragEvent): boolean => {
    const fields = store.runs && app.form.some(isFile);
    if (!(app.files || fields) || !event.dataTransfer?.types.includes("Files")) return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };

  return (
    <div
      class={`panel ${narrow ? "narrow" : ""} ${beside ? "with-sidebar" : ""} ${dropping ? "dropping" : ""}`}
      role="region"
      aria-label={t("panel", { name: app.name }) + nth}
      lang={store.lang}
      ref={root}
      onFocusIn={(event) => {
        const el = event.composedPath()[0] as HTMLElement;
        focused.current = el.matches(":focus-visible") ? el : null;
      }}
      onFocusOut={(event) => {
        // Chromium tells of an element that is removed before it is gone: look once it would be.
        const el = event.composedPath()[0] as HTMLElement;
        queueMicrotask(() => {
          if (el.isConnected && focused.current === el) focused.current = null;
        });
      }}
      onDragOver={(event) => {
        if (takes(event)) setDropping(true);
      }}
      onDragLeave={(event) => {
        const to = event.relatedTarget as Node | null;
        if (!to || !root.current?.contains(to)) setDropping(false);
      }}
      onDrop={(event) => {
        if (!takes(event)) return;
        setDropping(false);
        drop(panel, [...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <div class="frame" inert={open !== null}>
        {beside && (
          <Sidebar
            nth={nth}
            covers={covers}
            onHide={() => {
              setSidebar(false);
              queueMicrotask(() => root.current?.querySelector<HTMLElement>(".toggle")?.focus());
            }}
          />
        )}
        {covers && <div class="cover" onClick={() => setSidebar(false)} />}
        <div class="column" inert={covers}>
          <Header
            app={app}
            sidebar={beside}
            onSidebar={() => setSidebar(!beside)}
            onSheet={(sheet) => setOpen({ sheet })}
          />
          {store.runs ? <RunPage {...opens} /> : <Transcript strict={strict} onAsk={ask} {...opens} />}
          <Toasts />
          <Notices host={host} onInterrupt={() => setOpen({ interrupt: true })} />
          {!store.runs && <Composer onAsk={ask} attach={(files) => attachFiles(panel, files)} />}
        </div>
      </div>
      {dropping && (
        <div class="drop" aria-hidden="true">
          <Icon name="attach" />
          <p>{t("drop")}</p>
          <p class="quiet">{app.files?.rules}</p>
        </div>
      )}
      {open && <OpenSheet open={open} close={close} />}
    </div>
  );
}

/** Each file goes to the first field of a run's form that takes it and has room, else beside the question. */
function drop(panel: Panel, files: File[]): void {
  const app = panel.store.app!;
  const fields = panel.store.runs ? app.form.filter(isFile) : [];
  for (const file of files) {
    const fitting = fields.filter((field) => accepts(field.accept, file));
    const free = fitting.find((field) => panel.uploads.of(field.name).length < room(field));
    const field = free ?? (app.files ? undefined : (fitting[0] ?? fields[0]));
    if (field) pickFiles(panel, field, [file]);
    else attachFiles(panel, [file]);
  }
}

/** Short words about what was done; a deletion can be undone as long as its word stands. */
function Toasts() {
  const panel = usePanel();
  const { t, toast } = panel;
  const deleted = panel.store.conversations?.deleted;
  return (
    <div class="toasts">
      <div>
        {deleted && (
          <div class="toast">
            <span>{t("deleted", { name: deleted.name })}</span>
            <Button
              class="link"
              onClick={() => panel.order({ what: "undo", conversation: deleted.id })}
            >
              {t("undo")}
            </Button>
          </div>
        )}
        {toast && <div class="toast">{toast}</div>}
      </div>
    </div>
  );
}

function OpenSheet({ open, close }: { open: Open; close: () => void }) {
  const panel = usePanel();
  const { t } = panel;
  if ("sheet" in open) {
    if (open.sheet === "inputs") return <InputsSheet onClose={close} strict={open.strict ?? false} />;
    return <VariablesSheet onClose={close} />;
  }
  if ("steps" in open) return <StepsSheet turn={open.steps} onClose={close} />;
  if ("annotate" in open) return <AnnotateSheet turn={open.annotate} onClose={close} />;
  if ("interrupt" in open) {
    const interrupt = () => {
      close();
      void panel.kernel?.interrupt();
    };
    const foot = (
      <>
        <Button class="button" data-first onClick={close}>
          {t("cancel")}
        </Button>
        <Button class="button strong danger" onClick={interrupt}>
          {t("interrupt")}
        </Button>
      </>
    );
    return (
      <Sheet title={t("interrupt")} onClose={close} foot={foot} alert>
        <p>{t("interrupt_confirm")}</p>
      </Sheet>
    );
  }
  return (
    <Sheet title={open.title} onClose={close}>
      <textarea class="code" rows={14} readOnly data-first value={open.text} onFocus={(e) => e.currentTarget.select()} />
    </Sheet>
  );
}
