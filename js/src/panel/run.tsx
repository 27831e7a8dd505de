// An app that is run: its form, and below it the run on show.
import { h, Fragment } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Chips } from "./attachments";
import { Attach, Stop, allArrived, attachFiles } from "./composer";
import { Fields } from "./fields";
import { faults } from "./form";
import { Icon } from "./icons";
import type { TurnMeta } from "./protocol.gen";
import { TurnItem } from "./turn";
import { IconButton, useId, usePanel } from "./ui";

interface Props {
  onSteps: (turn: TurnMeta) => void;
  onAnnotate: (turn: TurnMeta) => void;
  onText: (title: string, text: string) => void;
}

export function RunPage(props: Props) {
  const panel = usePanel();
  const { store, uploads, t } = panel;
  const app = store.app!;
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const form = useRef<HTMLFormElement>(null);
  const result = useRef<HTMLElement>(null);
  const [strict, setStrict] = useState(false);
  const turn = store.turns.at(-1);
  const { running } = store.status;

  // Another run is shown: its beginning comes into sight, in this panel alone.
  const was = useRef(turn?.view);
  useLayoutEffect(() => {
    if (turn && turn.view !== was.current) {
      const { offsetTop } = result.current!;
      const { scrollTop, clientHeight } = scroller.current!;
      if (offsetTop < scrollTop || offsetTop > scrollTop + clientHeight / 2) scroller.current!.scrollTop = offsetTop - 12;
    }
    was.current = turn?.view;
  }, [turn?.view]);

  const run = () => {
    if (panel.lost) return;
    if (running) return panel.tell(t("busy"));
    const wrong = faults(app.form, panel.draft);
    if (wrong.size) {
      setStrict(true);
      const labels = app.form.filter((field) => wrong.has(field.name)).map((field) => field.label);
      panel.say(t("inputs_missing", { names: labels.join(", ") }));
      form.current!.querySelector<HTMLElement>(`[data-field="${CSS.escape([...wrong.keys()][0]!)}"]`)?.focus();
      return;
    }
    if (!allArrived(panel)) return;
    setStrict(false);
    panel.ask("");
  };

  return (
    <div class="transcript">
      <div class="scroller run-page" ref={scroller} tabIndex={0} role="group" aria-label={t("transcript")}>
        <div class="content">
          {app.description && <p class="quiet about">{app.description}</p>}
          <form
            class="card run-form"
            ref={form}
            aria-label={t("form", { name: app.name })}
            noValidate
            onSubmit={(event) => {
              event.preventDefault();
              run();
            }}
            onKeyDown={(event) => {
              // An input method is still at work: these keys are its own.
              if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
              if (event.ctrlKey || event.metaKey) run();
              // Enter alone runs nothing: forms are long.
              else if (!(event.target as HTMLElement).matches("input:not([type=checkbox], [type=file])")) return;
              event.preventDefault();
            }}
          >
            {app.form.length ? <Fields strict={strict} /> : <p class="quiet">{t("no_form")}</p>}
            <Chips items={uploads.of(null)} remove={(gone) => uploads.remove(gone)} />
            <div class="row run-bar">
              <button type="submit" class="button strong go" aria-disabled={panel.lost || !!running} aria-describedby={`${id}-keys`}>
                <Icon name="send" />
                <span>{t("go")}</span>
              </button>
              <Stop />
              <Attach attach={(files) => attachFiles(panel, files)} />
              <span class="rules" id={`${id}-keys`}>
                {[t("keys"), app.files?.rules].filter(Boolean).join(" · ")}
              </span>
            </div>
          </form>
          {store.queue.length > 0 && (
            <ul class="pending">
              {store.queue.map(({ id: waiting, query }) => (
                <li key={waiting} class="row">
                  <span class="state">{t("waiting")}</span>
                  <span class="grow">{query}</span>
                  <IconButton
                    icon="close"
                    class="tiny"
                    label={t("unqueue", { query: query.slice(0, 40) })}
                    onClick={() => panel.order({ what: "unqueue", queue: waiting })}
                  />
                </li>
              ))}
            </ul>
          )}
          <section class={turn ? "result" : ""} ref={result} aria-label={t("result")}>
            {turn ? (
              <>
                <h3 class="run-title">{turn.title}</h3>
                <ol class="turns">
                  <TurnItem
                    key={turn.key}
                    {...props}
                    onAsk={() => undefined}
                    turn={turn}
                    lang={store.lang}
                    last
                    playing={panel.player.playing === turn.key}
                  />
                </ol>
              </>
            ) : (
              <p class="quiet none">{t("no_result")}</p>
            )}
          </section>
        </div>
      </div>
    </div>
  );
}
