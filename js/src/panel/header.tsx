// The top of the panel: what one talks to, and what concerns the whole conversation.
import { h } from "preact";
import { keep } from "./host";
import { Icon } from "./icons";
import type { App, ExportValue, Icon as AppIcon } from "./protocol.gen";
import { IconButton, Menu, usePanel, type MenuItem } from "./ui";

export type SheetName = "inputs" | "variables";

/** The app's picture; the emoji of a chat when it has none. */
export function Face({ icon, large }: { icon: AppIcon | null; large?: boolean }) {
  const name = `face ${large ? "large" : ""}`;
  if (icon?.src?.startsWith("data:image/")) return <img class={name} src={icon.src} alt="" />;
  const background = icon?.background && /^#[0-9a-f]{3,8}$/i.test(icon.background) ? icon.background : undefined;
  return (
    <span class={name} style={background ? { background } : undefined} aria-hidden="true">
      {icon?.emoji ?? <Icon name="spark" />}
    </span>
  );
}

interface Props {
  app: App;
  sidebar: boolean;
  onSidebar: () => void;
  onSheet: (name: SheetName) => void;
}

export function Header({ app, sidebar, onSidebar, onSheet }: Props) {
  const panel = usePanel();
  const { t, store } = panel;
  const conversation = store.conversation;

  const save = async (as: "markdown" | "cells") => {
    const answer = await panel.request({ what: "export", as });
    if (!answer) return;
    const { name, text } = answer.value as ExportValue;
    keep(document, [text], as === "markdown" ? "text/markdown" : "application/x-ipynb+json", name);
    panel.tell(t("exported", { name }));
  };
  const aloud = panel.aloud ?? app.autoplay;
  const items: MenuItem[] = [
    ...(app.form.length && !store.runs ? [{ icon: "sliders", label: t("inputs"), act: () => onSheet("inputs") } as const] : []),
    ...(app.offers.variables
      ? [{ icon: "variables", label: t("variables"), act: () => onSheet("variables") } as const]
      : []),
    ...(app.text_to_speech
      ? [
          {
            icon: "sound",
            label: t("autoplay"),
            checked: aloud,
            act: () => {
              panel.aloud = !aloud;
              if (aloud) panel.player.stop();
              panel.changed();
            },
          } as const,
        ]
      : []),
    { icon: "download", label: t("export_markdown"), act: () => void save("markdown") },
    { icon: "cell", label: t("export_cells"), act: () => void save("cells") },
  ];

  return (
    <div class="top">
      <IconButton
        icon="panel"
        class="toggle"
        label={t(sidebar ? "hide_conversations" : "show_conversations")}
        aria-expanded={sidebar}
        onClick={onSidebar}
      />
      <Face icon={app.icon} />
      <div class="title">
        <h2>{conversation?.id && conversation.name ? conversation.name : app.name}</h2>
        <p>
          <span class={`server ${app.local ? "local" : ""} ${panel.lost ? "off" : ""}`}>
            {panel.lost ? t("lost_short") : app.server}
          </span>
          {conversation?.id && conversation.name && <span class="app-name">{app.name}</span>}
          {conversation?.totals && <span class="totals">{conversation.totals}</span>}
        </p>
      </div>
      {!sidebar && app.offers.conversations && <IconButton icon="compose" label={t("new")} onClick={() => panel.order({ what: "new" })} />}
      <Menu icon="menu" label={t("menu")} items={items} />
    </div>
  );
}
