// The sheets that open beside the conversation: inputs, variables, steps, annotation.
import { h, Fragment } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Fields } from "./fields";
import { Json } from "./json";
import type { NodeLine, NodeValue, TurnMeta, Variable } from "./protocol.gen";
import { Button, Sheet, useId, usePanel } from "./ui";

export function InputsSheet({ onClose, strict }: { onClose: () => void; strict: boolean }) {
  const { t } = usePanel();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (strict) box.current?.querySelector<HTMLElement>(".wrong [data-field]")?.focus();
  }, []);
  const foot = (
    <Button class="button strong" onClick={onClose}>
      {t("ok")}
    </Button>
  );
  return (
    <Sheet title={t("inputs_title")} onClose={onClose} foot={foot}>
      <div ref={box}>
        <Fields strict={strict} />
      </div>
    </Sheet>
  );
}

export function VariablesSheet({ onClose }: { onClose: () => void }) {
  const panel = usePanel();
  const { t, store } = panel;
  const [loading, setLoading] = useState(true);
  useEffect(() => {
    void panel.request({ what: "variables" }).then(() => setLoading(false));
  }, []);
  const items = store.variables?.items ?? [];
  return (
    <Sheet title={t("variables")} onClose={onClose}>
      {loading && !items.length && <p class="quiet">{t("loading")}</p>}
      {!loading && !items.length && <p class="quiet">{t("no_variables")}</p>}
      {items.map((item) => (
        <VariableRow key={item.id} item={item} />
      ))}
    </Sheet>
  );
}

/** JSON text, indented for reading. */
const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

function VariableRow({ item }: { item: Variable }) {
  const panel = usePanel();
  const { t } = panel;
  const id = useId();
  const [text, setText] = useState<string | null>(null);
  const value = text ?? pretty(item.value);
  let problem = "";
  try {
    JSON.parse(value);
  } catch {
    problem = t("bad_json");
  }
  const save = async () => {
    const done = await panel.request({ what: "set_variable", variable: item.id, value });
    if (!done) return;
    setText(null);
    panel.tell(t("saved"));
  };
  return (
    <div class={`field ${problem ? "wrong" : ""}`}>
      <label for={id}>
        <code>{item.name}</code> <span class="quiet">{item.type}</span>
      </label>
      {item.description && <p class="quiet">{item.description}</p>}
      <textarea
        id={id}
        class="code"
        rows={Math.min(10, value.split("\n").length + (value.length > 60 ? 1 : 0))}
        aria-label={t("variable_value", { name: item.name })}
        aria-invalid={!!problem || undefined}
        spellcheck={false}
        value={value}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      {problem && <span class="problem">{problem}</span>}
      {text !== null && (
        <div class="row">
          <Button class="button" onClick={() => setText(null)}>
            {t("cancel")}
          </Button>
          <Button class="button strong" aria-disabled={!!problem} onClick={() => !problem && void save()}>
            {t("save")}
          </Button>
        </div>
      )}
    </div>
  );
}

export function StepsSheet({ turn, onClose }: { turn: TurnMeta; onClose: () => void }) {
  const { t } = usePanel();
  return (
    <Sheet title={t("nodes")} onClose={onClose}>
      <div class="steps">
        {turn.nodes.map((node) => (
          <Step key={node.id} turn={turn.key} node={node} />
        ))}
      </div>
    </Sheet>
  );
}

/** The word for a status, or the status itself when it is a new one. */
const known = (word: string, status: string): string => (word.startsWith("status.") ? status : word);

function Step({ turn, node }: { turn: string; node: NodeLine }) {
  const panel = usePanel();
  const { t } = panel;
  const [value, setValue] = useState<NodeValue | null>(null);
  const [asked, setAsked] = useState(false);
  const open = async (event: Event) => {
    if (!(event.currentTarget as HTMLDetailsElement).open || asked) return;
    setAsked(true);
    const answer = await panel.request({ what: "node", key: turn, node: node.id });
    if (answer) setValue(answer.value as NodeValue);
    else setAsked(false);
  };
  const parts = value
    ? ([
        ["node_inputs", value.inputs],
        ["node_process", value.process_data],
        ["node_outputs", value.outputs],
      ] as const)
    : [];
  return (
    <details class="step" onToggle={(event) => void open(event)}>
      <summary>
        <span class="step-title">{node.title}</span>
        {value && <span class={`step-status s-${value.status}`}>{known(t(`status.${value.status}`), value.status)}</span>}
      </summary>
      <div class="step-body">
        {!value && <p class="quiet">{t("loading")}</p>}
        {value?.error && (
          <div class="step-error">
            <h3>{t("node_error")}</h3>
            <p>{value.error}</p>
          </div>
        )}
        {parts.map(([key, part]) =>
          part === null || part === undefined ? null : (
            <div key={key}>
              <h3>{t(key)}</h3>
              <Json value={part} open />
            </div>
          ),
        )}
      </div>
    </details>
  );
}

export function AnnotateSheet({ turn, onClose }: { turn: TurnMeta; onClose: () => void }) {
  const panel = usePanel();
  const { t } = panel;
  const id = useId();
  const [question, setQuestion] = useState(turn.query);
  const [answer, setAnswer] = useState<string | null>(null);
  useEffect(() => {
    void panel.request({ what: "copy", key: turn.key, as: "markdown" }).then((copied) => {
      const { text } = (copied?.value ?? { text: "" }) as { text: string };
      setAnswer((typed) => typed ?? text);
    });
  }, []);
  const ready = question.trim() && answer?.trim();
  const save = async () => {
    if (!ready) return;
    const done = await panel.request({ what: "annotate", key: turn.key, question, answer: answer! });
    if (!done) return;
    panel.tell(t("annotated"));
    onClose();
  };
  const foot = (
    <>
      <Button class="button" onClick={onClose}>
        {t("cancel")}
      </Button>
      <Button class="button strong" aria-disabled={!ready} onClick={() => void save()}>
        {t("save")}
      </Button>
    </>
  );
  return (
    <Sheet title={t("annotate_title")} onClose={onClose} foot={foot}>
      <div class="field">
        <label for={`${id}-q`}>{t("question")}</label>
        <textarea
          id={`${id}-q`}
          rows={3}
          data-first
          value={question}
          onInput={(event) => setQuestion(event.currentTarget.value)}
        />
      </div>
      <div class="field">
        <label for={`${id}-a`}>{t("answer")}</label>
        <textarea
          id={`${id}-a`}
          rows={9}
          aria-busy={answer === null}
          value={answer ?? ""}
          onInput={(event) => setAnswer(event.currentTarget.value)}
        />
      </div>
    </Sheet>
  );
}
