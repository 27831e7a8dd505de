// The turns, oldest first. Of a long conversation the end is drawn, and more as the reader goes up.
import { h } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Sent } from "./attachments";
import { Follow } from "./follow";
import { Icon } from "./icons";
import type { TurnMeta } from "./protocol.gen";
import { Bubble, TurnItem } from "./turn";
import { Button, IconButton, useSeen, usePanel } from "./ui";
import { Welcome } from "./welcome";
import { Window } from "./window";

interface Props {
  strict: boolean;
  onSteps: (turn: TurnMeta) => void;
  onAnnotate: (turn: TurnMeta) => void;
  onText: (title: string, text: string) => void;
  onAsk: (query: string) => void;
}

export function Transcript(props: Props) {
  const panel = usePanel();
  const { store, t } = panel;
  const { turns, conversation, queue } = store;
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const top = useRef<HTMLButtonElement>(null);
  const follow = useRef<Follow | null>(null);
  const [end, setEnd] = useState(true);
  const [, redraw] = useState(0);
  const drawn = useRef<Window | null>(null);
  drawn.current ??= new Window();
  const keys = turns.map((turn) => turn.key);
  const first = drawn.current.first(keys);
  const shown = turns.slice(first);
  const asked = panel.asked.filter(({ query }) => !arrived(query, turns, queue));

  useLayoutEffect(() => {
    const mine = (follow.current = new Follow(scroller.current!, content.current!, setEnd));
    return () => mine.dispose();
  }, []);

  const none = !turns.length && !asked.length && !queue.length;
  // What stands before the first question is read from its top.
  useLayoutEffect(() => follow.current?.enable(!none), [none]);

  // Something is about to be put above what the reader sees: hold on to that. (The page is still as it was drawn last.)
  const head = shown[0]?.key;
  const was = useRef(head);
  const grows = was.current !== head && shown.some((turn) => turn.key === was.current);
  if (grows) follow.current?.keep();
  useLayoutEffect(() => {
    if (grows) follow.current?.restore();
    else if (was.current !== head) follow.current?.toEnd();
    was.current = head;
  }, [head]);

  // Whoever asks wants to see the answer.
  const last = panel.asked.at(-1)?.id;
  useLayoutEffect(() => {
    if (last !== undefined) follow.current?.toEnd(true);
  }, [last]);

  const older = first > 0 || !!conversation?.older;
  const up = () => {
    if (first > 0) {
      drawn.current!.up(keys);
      redraw((n) => n + 1);
    } else if (conversation?.older && !conversation.loading) panel.order({ what: "older" });
  };
  // Not while the end is followed: a short conversation would load itself whole.
  useSeen(top, scroller, () => !follow.current?.end && up());

  return (
    <div class="transcript">
      <div class="scroller" ref={scroller} tabIndex={0} role="group" aria-label={t("transcript")}>
        <div class={`content ${none ? "empty" : ""}`} ref={content}>
          {older && (
            <button type="button" class="link older" ref={top} onClick={up} aria-busy={conversation?.loading}>
              {t(conversation?.loading ? "loading" : "older")}
            </button>
          )}
          {!older && <Welcome first={none} strict={props.strict} onAsk={props.onAsk} />}
          <ol class="turns">
            {shown.map((turn, index) => (
              <TurnItem
                key={turn.key}
                {...props}
                turn={turn}
                lang={store.lang}
                last={index === shown.length - 1}
                playing={panel.player.playing === turn.key}
              />
            ))}
          </ol>
          {(asked.length > 0 || queue.length > 0) && (
            <ol class="turns pending">
              {queue.map(({ id, query }) => (
                <li key={id} class="turn you">
                  <div class="row">
                    <Bubble text={query} faint />
                    <IconButton
                      icon="close"
                      class="tiny"
                      label={t("unqueue", { query: query.slice(0, 40) })}
                      onClick={() => panel.order({ what: "unqueue", queue: id })}
                    />
                  </div>
                  <span class="state">{t("waiting")}</span>
                </li>
              ))}
              {asked.map(({ id, query, files }) => (
                <li key={id} class="turn you" data-asked>
                  <Sent files={files} />
                  <Bubble text={query} faint />
                  <span class="state">{panel.commands.open.get(id)?.late ? t("waiting") : ""}</span>
                </li>
              ))}
            </ol>
          )}
        </div>
      </div>
      {!end && !none && (
        <Button class="newest" aria-label={t("newest")} title={t("newest")} onClick={() => follow.current?.toEnd(true)}>
          <Icon name="arrowDown" />
          {store.status.running && <span class="dot" />}
        </Button>
      )}
    </div>
  );
}

/** Whether the kernel already shows the question that is on its way. */
function arrived(query: string, turns: TurnMeta[], queue: { query: string }[]): boolean {
  const last = turns.at(-1);
  return (last?.status === "running" && last.query === query) || queue.some((each) => each.query === query);
}
