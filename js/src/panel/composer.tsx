// Where a question is written: text, files, voice; and where a running answer is stopped.
import { h, Fragment } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Chips } from "./attachments";
import { Icon } from "./icons";
import { bytes, refusal } from "./rules";
import { Recall } from "./recall";
import { canRecord, record, type Voice } from "./voice";
import { Button, IconButton, useId, usePanel } from "./ui";

interface Props {
  /** Ask; false when something has to be put right before. */
  onAsk: (query: string) => boolean;
  attach: (files: File[]) => void;
}

export function Composer({ onAsk, attach }: Props) {
  const panel = usePanel();
  const { store, uploads, t } = panel;
  const app = store.app!;
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const recall = useRef(new Recall());
  const { running } = store.status;
  const ready = panel.text.trim() !== "" && uploads.items.every((item) => item.file || item.form !== null) && !panel.lost;

  useLayoutEffect(() => {
    // As high as its text; CSS says how high at most.
    const el = area.current!;
    el.style.height = "auto";
    el.style.height = `${el.scrollHeight + 2}px`;
  }, [panel.text]);

  const write = (text: string) => {
    panel.text = text;
    panel.changed();
  };
  const send = () => {
    const query = panel.text.trim();
    if (!ready) {
      allArrived(panel);
      return;
    }
    if (!onAsk(query)) return;
    recall.current.reset();
    write("");
    area.current?.focus();
  };
  const keys = (event: KeyboardEvent) => {
    // An input method is still at work: these keys are its own.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const asked = store.turns.map((turn) => turn.query).filter(Boolean);
      const text = recall.current.move(event.key === "ArrowUp" ? -1 : 1, panel.text, asked);
      if (text === null) return;
      event.preventDefault();
      write(text);
      queueMicrotask(() => area.current?.setSelectionRange(text.length, text.length));
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="box">
        <Chips items={uploads.of(null)} remove={(gone) => uploads.remove(gone)} />
        <textarea
          ref={area}
          rows={1}
          aria-label={t("composer")}
          aria-describedby={`${id}-keys`}
          placeholder={t("placeholder", { name: app.name })}
          value={panel.text}
          readOnly={panel.lost}
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={keys}
          onPaste={(event) => {
            const files = [...(event.clipboardData?.files ?? [])];
            if (!files.length || !app.files) return;
            event.preventDefault();
            attach(files);
          }}
        />
        <div class="row">
          <Attach attach={attach} after={() => area.current?.focus()} />
          {app.speech_to_text && canRecord() && (
            <Microphone onText={(text) => write(panel.text ? `${panel.text.trimEnd()} ${text}` : text)} />
          )}
          <span class="rules">{app.files?.rules}</span>
          <Stop />
          {(!running || panel.text.trim()) && (
            <button type="submit" class="send" title={t("send")} aria-label={t("send")} aria-disabled={!ready}>
              <Icon name="send" />
            </button>
          )}
        </div>
      </div>
      <p class="keys" id={`${id}-keys`}>
        {t("keys")}
      </p>
    </form>
  );
}

/** The button that picks files beside a question or a form, where the app takes any. */
export function Attach({ attach, after }: { attach: (files: File[]) => void; after?: () => void }) {
  const { store, t } = usePanel();
  const picker = useRef<HTMLInputElement>(null);
  const { files } = store.app!;
  if (!files) return null;
  return (
    <>
      <IconButton icon="attach" label={`${t("attach")}: ${files.rules}`} onClick={() => picker.current?.click()} />
      <input
        ref={picker}
        class="sr"
        type="file"
        tabIndex={-1}
        aria-hidden="true"
        multiple={files.number > 1}
        accept={files.extensions.join(",")}
        onChange={(event) => {
          attach([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
          after?.();
        }}
      />
    </>
  );
}

/** The button that ends what runs, where something does. */
export function Stop() {
  const panel = usePanel();
  const { running, stopping } = panel.store.status;
  const stops = stopping || [...panel.commands.open.values()].some(({ order }) => order.what === "stop");
  if (!running || panel.lost) return null;
  return (
    <Button class={`stop ${stops ? "stopping" : ""}`} aria-disabled={stops} onClick={() => !stops && panel.order({ what: "stop" })}>
      <Icon name="stop" />
      <span>{panel.t(stops ? "stopping" : "stop")}</span>
    </Button>
  );
}

/** Say of a file that is on its way still, or did not arrive, that it is; whether all are there. */
export function allArrived(panel: ReturnType<typeof usePanel>): boolean {
  const bad = panel.uploads.items.find((item) => !item.file && item.form === null);
  const { t } = panel;
  if (bad) panel.tell(t(bad.error ? "upload_failed" : "uploading", { name: bad.name, percent: Math.round(100 * bad.done) }));
  return !bad;
}

/** Check files against the app's rules, and begin to upload those that fit. */
export function attachFiles(panel: ReturnType<typeof usePanel>, files: File[]): void {
  const rules = panel.store.app?.files;
  if (!rules) return;
  for (const file of files) {
    const wrong = refusal(rules, panel.uploads.of(null).length, file);
    if (wrong) {
      panel.fail(new Error(panel.t(...wrong)));
      continue;
    }
    panel.uploads.add(file);
    panel.say(`${file.name}, ${bytes(file.size)}`);
  }
}

/** Seconds of a recording at most: a Jupyter server takes no message of more than 10 MB. */
const LONGEST = 300;

function Microphone({ onText }: { onText: (text: string) => void }) {
  const panel = usePanel();
  const { t } = panel;
  const [voice, setVoice] = useState<Voice | null>(null);
  const [hearing, setHearing] = useState(false);
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!voice) return;
    setSeconds(0);
    const timer = setInterval(() => setSeconds((n) => n + 1), 1000);
    return () => {
      clearInterval(timer);
      voice.cancel();
    };
  }, [voice]);

  const begin = async () => {
    try {
      setVoice(await record());
      panel.say(t("say.recording"));
    } catch {
      panel.fail(new Error(t("mic_denied")));
    }
  };
  const end = async () => {
    const { mime, bytes: sound } = await voice!.end();
    setVoice(null);
    setHearing(true);
    const answer = await panel.request({ what: "hear", mime }, sound);
    setHearing(false);
    if (answer) onText((answer.value as { text: string }).text);
  };
  useEffect(() => {
    if (seconds >= LONGEST) void end();
  }, [seconds]);
  if (hearing) return <span class="hearing">{t("hearing")}</span>;
  if (!voice) return <IconButton icon="mic" label={t("mic")} onClick={() => void begin()} />;
  return (
    <span class="recording">
      <IconButton icon="stop" label={t("mic_stop")} onClick={() => void end()} />
      <span class="seconds" aria-hidden="true">
        {Math.floor(seconds / 60)}:{String(seconds % 60).padStart(2, "0")}
      </span>
      <IconButton icon="close" class="tiny" label={t("cancel")} onClick={() => setVoice(null)} />
    </span>
  );
}
