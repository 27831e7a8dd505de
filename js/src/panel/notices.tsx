// What the reader has to know now: between transcript and composer.
import { h, type ComponentChildren } from "preact";
import { canInsert, runAgain } from "./host";
import { Button, IconButton, usePanel } from "./ui";

function Notice(props: { kind: "bad" | "warm" | "quiet"; children: ComponentChildren; onClose?: () => void }) {
  const { t } = usePanel();
  return (
    <div class={`notice ${props.kind}`} role={props.kind === "bad" ? "alert" : "note"}>
      <div class="notice-text">{props.children}</div>
      {props.onClose && <IconButton icon="close" class="tiny" label={t("dismiss")} onClick={props.onClose} />}
    </div>
  );
}

export function Notices({ host, onInterrupt }: { host: Element; onInterrupt: () => void }) {
  const panel = usePanel();
  const { store, commands, notice, t } = panel;
  const { conversation, status } = store;
  const stops = commands.late("stop").length > 0;
  const busy = [...commands.open.values()].some(
    ({ late, order }) => late && !["hello", "ask", "stop", "upload", "upload_part"].includes(order.what),
  );
  const asks = commands.late("ask").length > 0;
  return (
    <div class="notices">
      {panel.lost && (
        <Notice kind="warm">
          <p>{t("lost")}</p>
          {canInsert() && (
            <Button class="button" onClick={() => void runAgain(host)}>
              {t("reload")}
            </Button>
          )}
        </Notice>
      )}
      {conversation?.notice && (
        <Notice kind="quiet">
          <p>{conversation.notice}</p>
          {conversation.resume && (
            <Button
              class="button"
              onClick={() => panel.order({ what: "open", conversation: conversation.resume!.id })}
            >
              {t("go_on", { name: conversation.resume.name })}
            </Button>
          )}
        </Notice>
      )}
      {(stops || asks || busy) && !panel.lost && (
        <Notice kind="warm">
          <p>{t(stops ? "stop_queued" : asks ? "queued" : "busy")}</p>
          {panel.kernel && (
            <Button class="button" onClick={onInterrupt}>
              {t("interrupt")}
            </Button>
          )}
        </Notice>
      )}
      {status.error && (
        <Notice kind="bad">
          <p>{status.error.message}</p>
          {status.error.hint && <p class="hint">{status.error.hint}</p>}
        </Notice>
      )}
      {notice && (
        <Notice kind="bad" onClose={() => panel.dismiss()}>
          <p>{notice.message}</p>
          {notice.hint && <p class="hint">{notice.hint}</p>}
        </Notice>
      )}
    </div>
  );
}
