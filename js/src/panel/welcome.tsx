// What is shown before the first question.
import { h } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { create } from "../draw";
import type { Block } from "../protocol.gen";
import { Fields } from "./fields";
import { Face } from "./header";
import { Button, usePanel } from "./ui";

interface Props {
  /** Nothing was asked yet: everything is shown, else the opening statement alone. */
  first: boolean;
  strict: boolean;
  onAsk: (query: string) => void;
}

export function Welcome({ first, strict, onAsk }: Props) {
  const { store, t } = usePanel();
  const app = store.app!;
  if (!first) return app.opening ? <Opening block={app.opening} /> : null;
  const form = app.form.length > 0 && !store.conversation?.frozen;
  return (
    <div class="welcome">
      <Face icon={app.icon} large />
      <p class="app">{app.name}</p>
      {app.description && <p class="description">{app.description}</p>}
      {app.opening && <Opening block={app.opening} />}
      {form && (
        <div class="card">
          <h3>{t("inputs_title")}</h3>
          <Fields strict={strict} />
        </div>
      )}
      {app.suggested.length > 0 && (
        <div class="begin">
          <h3>{t("begin")}</h3>
          <div class="starters">
            {app.suggested.map((question) => (
              <Button key={question} class="suggestion" onClick={() => onAsk(question)}>
                {question}
              </Button>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

function Opening({ block }: { block: Block }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => place.current!.replaceChildren(create(document, block)), [block]);
  return <div class="opening body" ref={place} />;
}
