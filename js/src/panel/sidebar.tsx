// The list of conversations, or of runs.
import { h } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import type { Listed } from "./protocol.gen";
import { Button, IconButton, Menu, useRoving, useSeen, usePanel } from "./ui";

/** Milliseconds without a key before a search goes out. */
const PAUSE = 250;

interface Props {
  /** Which panel of the page it belongs to, in words; "" for the first. */
  nth: string;
  /** It lies above the transcript, and goes away when something was picked. */
  covers: boolean;
  onHide: () => void;
}

export function Sidebar({ nth, covers, onHide }: Props) {
  const panel = usePanel();
  const { store, t } = panel;
  const place = useRef<HTMLElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const more = useRef<HTMLButtonElement>(null);
  const [search, setSearch] = useState(store.conversations?.search ?? "");
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const move = useRoving(list, ".conversation-open", true);
  const { offers } = store.app!;
  const { items = [], loading = false, more: further = false } = store.conversations ?? {};

  useEffect(() => {
    if (!store.conversations?.items.length) panel.order({ what: "conversations", search: "", more: false });
    return () => clearTimeout(timer.current);
  }, []);
  useEffect(() => {
    if (covers) place.current!.querySelector<HTMLElement>("button")?.focus();
  }, [covers]);
  const onPick = () => covers && onHide();
  const onMore = () => {
    if (further && !store.conversations!.loading) panel.order({ what: "conversations", search, more: true });
  };
  useSeen(more, list, onMore);

  const type = (text: string) => {
    setSearch(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => panel.order({ what: "conversations", search: text, more: false }), PAUSE);
  };

  return (
    <nav
      class="sidebar"
      aria-label={t("conversations") + nth}
      ref={place}
      onKeyDown={(event) => covers && event.key === "Escape" && onHide()}
    >
      <div class="sidebar-top">
        {covers && <IconButton icon="panel" label={t("hide_conversations")} onClick={onHide} />}
        {offers.conversations && (
          <Button
            class="button new"
            onClick={() => {
              panel.order({ what: "new" });
              onPick();
            }}
          >
            <Icon name="plus" />
            <span>{t("new")}</span>
          </Button>
        )}
        <label class="search">
          <Icon name="search" />
          <input
            type="search"
            aria-label={t("search")}
            placeholder={t("search")}
            value={search}
            onInput={(event) => type(event.currentTarget.value)}
          />
        </label>
      </div>
      {offers.history === "here" && <p class="quiet here">{t("here")}</p>}
      <div class="conversations" ref={list} onKeyDown={move} aria-busy={loading}>
        <ul>
          {items.map((item) => (
            <Line key={item.id} item={item} onPick={onPick} />
          ))}
        </ul>
        {!items.length && !loading && store.conversations && (
          <p class="quiet none">{search ? t("no_match", { search }) : t("no_conversations")}</p>
        )}
        {loading && <p class="quiet none">{t("loading")}</p>}
        {further && !loading && (
          <button type="button" class="link more" ref={more} onClick={onMore}>
            {t("more")}
          </button>
        )}
      </div>
    </nav>
  );
}

function Line({ item, onPick }: { item: Listed; onPick: () => unknown }) {
  const panel = usePanel();
  const { t } = panel;
  const [name, setName] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const line = useRef<HTMLLIElement>(null);

  useLayoutEffect(() => {
    if (name !== null) input.current?.select();
  }, [name === null]);

  const leave = () => {
    setName(null);
    queueMicrotask(() => line.current?.querySelector<HTMLElement>(".conversation-open")?.focus());
  };
  const save = () => {
    const wish = name?.trim();
    if (wish && wish !== item.name) panel.order({ what: "rename", conversation: item.id, name: wish });
    leave();
  };

  if (name !== null) {
    return (
      <li ref={line} class="conversation renaming">
        <input
          ref={input}
          type="text"
          aria-label={t("rename_title")}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.isComposing || event.keyCode === 229) return;
            if (event.key === "Enter") save();
            if (event.key === "Escape") leave();
          }}
        />
        <IconButton icon="check" label={t("save")} onClick={save} />
        <IconButton icon="close" label={t("cancel")} onClick={leave} />
      </li>
    );
  }
  return (
    <li ref={line} class={`conversation ${item.current ? "current" : ""}`}>
      <Button
        class="conversation-open"
        aria-current={item.current ? "true" : undefined}
        title={item.name}
        onClick={() => {
          if (!item.current) panel.order({ what: "open", conversation: item.id });
          onPick();
        }}
      >
        <span class="conversation-name">{item.name}</span>
        <span class="conversation-when">{item.when}</span>
        {item.status && (
          <span class="conversation-facts">
            <b class={`s-${item.status}`}>{panel.store.texts?.[`status.${item.status}`] ?? item.status}</b>
            {item.facts && ` · ${item.facts}`}
          </span>
        )}
      </Button>
      {panel.store.app!.offers.conversations && <Menu
        icon="menu"
        label={t("actions", { name: item.name })}
        items={[
          { icon: "edit", label: t("rename"), act: () => setName(item.name) },
          {
            icon: "spark",
            label: t("auto_name"),
            act: () => panel.order({ what: "rename", conversation: item.id, name: null }),
          },
          { icon: "trash", label: t("delete"), act: () => panel.order({ what: "delete", conversation: item.id }) },
        ]}
      />}
    </li>
  );
}
