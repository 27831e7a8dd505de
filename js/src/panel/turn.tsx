// One question and its answer.
import { h, Fragment, Component } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Downloads, Sent } from "./attachments";
import { Body } from "./body";
import { bytes } from "./panel";
import { canInsert, copyText, insertCell } from "./host";
import { Icon } from "./icons";
import type { TurnMeta } from "./protocol.gen";
import { Button, IconButton, Menu, useId, useRoving, usePanel, type MenuItem } from "./ui";

interface Props {
  turn: TurnMeta;
  lang: string;
  last: boolean;
  /** It is being read aloud. */
  playing: boolean;
  onSteps: (turn: TurnMeta) => void;
  onAnnotate: (turn: TurnMeta) => void;
  onText: (title: string, text: string) => void;
  onAsk: (query: string) => void;
}

/** Drawn again only when something of it changed: a conversation may be long. */
export class TurnItem extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const { turn, lang, last, playing } = this.props;
    return turn !== next.turn || lang !== next.lang || last !== next.last || playing !== next.playing;
  }

  override render(props: Props) {
    return <Turn {...props} />;
  }
}

function Turn(props: Props) {
  const { turn, last } = props;
  const { t } = usePanel();
  const { query, title, status } = turn;
  const running = status === "running";
  const asksNothing = turn.can.read_on && !turn.forms.length;
  return (
    <li class={`turn ${running ? "running" : ""}`} data-turn={turn.key}>
      <article aria-label={title} aria-busy={running}>
        {(query || turn.files.length > 0) && (
          <div class="you">
            <span class="sr">{t("you")}</span>
            <Sent files={turn.files} />
            {query && <Bubble text={query} />}
          </div>
        )}
        <Blocks turn={turn} />
        <Downloads turn={turn.key} files={turn.downloads} />
        {turn.forms.length > 0 && !running && <p class="meanwhile">{t("meanwhile")}</p>}
        {(turn.can.retry || asksNothing) && (
          <div class="again">
            {turn.can.retry && <Again turn={turn} what="retry" />}
            {asksNothing && <Again turn={turn} what="read_on" />}
          </div>
        )}
        {!running && <Actions {...props} />}
        {last && !running && turn.suggested.length > 0 && (
          <div class="next">
            <h3 class="sr">{t("suggested")}</h3>
            {turn.suggested.map((question) => (
              <Button key={question} class="suggestion" onClick={() => props.onAsk(question)}>
                {question}
              </Button>
            ))}
          </div>
        )}
      </article>
    </li>
  );
}

/** Characters of a question from which it is folded. */
const LONG = 1200;

export function Bubble({ text, faint }: { text: string; faint?: boolean }) {
  const { t } = usePanel();
  const [whole, setWhole] = useState(false);
  const long = text.length > LONG;
  return (
    <div class={`bubble ${faint ? "faint" : ""}`}>
      {long && !whole ? `${text.slice(0, LONG)} …` : text}
      {long && (
        <Button class="link" onClick={() => setWhole(!whole)}>
          {t(whole ? "less" : "all")}
        </Button>
      )}
    </div>
  );
}

/** The answer's blocks, as the kernel rendered them. */
function Blocks({ turn }: { turn: TurnMeta }) {
  const panel = usePanel();
  const place = useRef<HTMLDivElement>(null);
  const { view, status } = turn;
  useLayoutEffect(() => {
    const body = new Body(place.current!, panel.store.feed(view), () => {
      if (panel.places.any) panel.places.show(place.current!);
    });
    return () => {
      body.dispose();
      place.current?.replaceChildren();
    };
  }, [view]);

  // The finished answer's beginning is said once, not every token.
  const ran = useRef(false);
  useEffect(() => {
    if (status === "running") {
      ran.current = true;
      return;
    }
    if (!ran.current) return;
    ran.current = false;
    const timer = setTimeout(() => {
      const text = place.current?.querySelector(".dn-answer")?.textContent?.trim() ?? "";
      if (text) panel.say(panel.t("say.finished", { text: text.length > 200 ? `${text.slice(0, 200)} …` : text }));
    }, 400);
    return () => clearTimeout(timer);
  }, [status]);
  return <div class="body" ref={place} />;
}

function Again({ turn, what }: { turn: TurnMeta; what: "retry" | "read_on" }) {
  const panel = usePanel();
  return (
    <Button class="button retry" onClick={() => panel.order({ what, key: turn.key })}>
      <Icon name={what === "retry" ? "regenerate" : "arrowDown"} />
      <span>{panel.t(what)}</span>
    </Button>
  );
}

function Actions({ turn, playing, onSteps, onAnnotate, onText }: Props) {
  const panel = usePanel();
  const { t } = panel;
  const bar = useRef<HTMLDivElement>(null);
  const move = useRoving(bar, ".tools > button, .tools > .menu-place > button");
  const [commenting, setCommenting] = useState<TurnMeta["rating"]>(null);
  const { key, rating, can } = turn;

  const rate = (wish: "like" | "dislike") => {
    const now = rating === wish ? null : wish;
    panel.order({ what: "rate", key, rating: now, comment: now ? turn.comment : null });
    setCommenting(now);
  };
  /** Do something with the answer; where that fails its text is shown, to be taken by hand. */
  const take = async (as: "markdown" | "cell", done: string, use: (place: HTMLElement, text: string) => Promise<boolean>) => {
    const answer = await panel.request({ what: "copy", key, as });
    if (!answer || !bar.current) return;
    const { text } = answer.value as { text: string };
    if (await use(bar.current, text)) panel.tell(t(done));
    else onText(t("copy_failed"), text);
  };
  const takeUp = async () => {
    const field = bar.current?.closest(".scroller");
    if (await panel.takeUp(key)) field?.querySelector<HTMLElement>(".fields :is(input, textarea, select)")?.focus();
  };
  const copy = (as: "markdown" | "cell") => void take(as, "copied", copyText);
  const speak = async () => {
    if (playing) {
      panel.player.stop();
      return;
    }
    const answer = await panel.request({ what: turn.audio ? "sound" : "speak", key });
    const sound = answer?.buffers[0];
    if (!sound) return;
    try {
      await panel.player.play(key, new Blob([bytes(sound)], { type: (answer.value as { mime: string }).mime }));
    } catch {
      panel.tell(t("autoplay_blocked"));
    }
  };

  const more: MenuItem[] = [
    { icon: "cell", label: t("copy_cell"), act: () => copy("cell") },
    ...(canInsert()
      ? [{ icon: "plus", label: t("insert_cell"), act: () => void take("cell", "inserted", insertCell) } as const]
      : []),
    ...(turn.nodes.length ? [{ icon: "steps", label: t("nodes"), act: () => onSteps(turn) } as const] : []),
    ...(can.read_on && turn.forms.length
      ? [{ icon: "arrowDown", label: t("read_on"), act: () => panel.order({ what: "read_on", key }) } as const]
      : []),
    ...(can.annotate ? [{ icon: "annotate", label: t("annotate"), act: () => onAnnotate(turn) } as const] : []),
  ];
  return (
    <div class="actions" ref={bar}>
      <span class="facts">
        {turn.annotated && <span title={t("annotated")}>✎ </span>}
        {turn.status !== "succeeded" && <b class="outcome">{t(`status.${turn.status}`)}</b>}
        {turn.facts}
        {turn.when && <span class="when">{turn.facts && " · "}{turn.when}</span>}
      </span>
      <div class="tools" role="toolbar" aria-label={t("actions", { name: turn.title.slice(0, 40) })} onKeyDown={move}>
        {can.rate && (
          <>
            <IconButton
              icon="like"
              class="rate"
              label={t(rating === "like" ? "revoke" : "like")}
              aria-pressed={rating === "like"}
              onClick={() => rate("like")}
            />
            <IconButton
              icon="dislike"
              class="rate"
              label={t(rating === "dislike" ? "revoke" : "dislike")}
              aria-pressed={rating === "dislike"}
              onClick={() => rate("dislike")}
            />
          </>
        )}
        <IconButton icon="copy" label={t("copy_markdown")} onClick={() => copy("markdown")} />
        {(can.speak || turn.audio) && (
          <IconButton
            icon={playing ? "stop" : "sound"}
            class={playing ? "playing" : ""}
            label={t(playing ? "speak_stop" : "speak")}
            onClick={() => void speak()}
          />
        )}
        {can.take_up && (
          <IconButton icon="edit" label={t("take_up")} onClick={() => void takeUp()} />
        )}
        {can.regenerate && (
          <IconButton
            icon="regenerate"
            label={t("regenerate")}
            onClick={() => panel.order({ what: "regenerate", key })}
          />
        )}
        {more.length > 0 && <Menu icon="menu" label={t("more_actions")} items={more} />}
      </div>
      {commenting && <Comment turn={turn} rating={commenting} onClose={() => setCommenting(null)} />}
    </div>
  );
}

/** What was good or bad. It opens at once, before the kernel has heard of the rating: later it would take the focus away. */
function Comment({ turn, rating, onClose }: { turn: TurnMeta; rating: TurnMeta["rating"]; onClose: () => void }) {
  const panel = usePanel();
  const { t } = panel;
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(turn.comment ?? "");
  // Before anything else can happen: what is typed at once belongs in here.
  useLayoutEffect(() => input.current?.focus({ preventScroll: true }), []);
  const save = () => {
    panel.order({ what: "rate", key: turn.key, rating, comment: text.trim() || null });
    panel.tell(t("saved"));
    onClose();
  };
  return (
    <div class="comment">
      <label class="sr" for={id}>
        {t("comment")}
      </label>
      <input
        id={id}
        ref={input}
        type="text"
        placeholder={t("comment_placeholder")}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.isComposing || event.keyCode === 229) return;
          if (event.key === "Enter") save();
          if (event.key === "Escape") onClose();
        }}
      />
      <Button class="button strong" onClick={save}>
        {t("save")}
      </Button>
      <IconButton icon="close" label={t("close")} onClick={onClose} />
    </div>
  );
}
