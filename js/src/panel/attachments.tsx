// Files beside a question: on their way, sent, or to be kept from an answer.
import { h, Fragment } from "preact";
import { Icon } from "./icons";
import type { Attachment, Download } from "./protocol.gen";
import { bytes } from "./rules";
import { Button, IconButton, usePanel } from "./ui";
import { bytes as viewBytes, type Panel } from "./panel";
import { keep } from "./host";
import type { Item } from "./uploads";

/** Data URIs of pictures only: nothing is ever loaded from elsewhere. */
const picture = (thumb: string | null | undefined): string | null =>
  thumb && /^(data:image\/(png|jpeg|gif|webp)|blob:)/.test(thumb) ? thumb : null;

function Label({ src, name, state }: { src: string | null; name: string; state: string }) {
  const ending = /\.(\w{1,5})$/.exec(name)?.[1];
  return (
    <>
      {src ? (
        <img class="thumb" src={src} alt="" />
      ) : (
        <span class="thumb">{ending ? <span class="ending">{ending}</span> : <Icon name="file" />}</span>
      )}
      <span class="chip-text">
        <span class="chip-name">{name}</span>
        <span class="chip-state">{state}</span>
      </span>
    </>
  );
}

/** The size of a file, or its type where that is not known. */
const sizeOf = ({ size, type }: { size: number | null; type: string }): string => (size === null ? type : bytes(size));

/** Files that are being uploaded, or are and wait for the question. */
export function Chips({ items, remove }: { items: Item[]; remove: ((id: string) => void) | null }) {
  const { t, commands } = usePanel();
  if (!items.length) return null;
  const late = commands.late("upload").length > 0;
  return (
    <ul class="chips" aria-label={t("attachments")}>
      {items.map((item) => {
        const percent = Math.round(100 * item.done);
        const state = item.error ?? (item.file ? bytes(item.size) : late ? t("waiting") : `${percent} %`);
        return (
          <li key={item.id} class={`chip ${item.error ? "bad" : ""}`}>
            <Label src={picture(item.file?.thumb) ?? item.preview} name={item.name} state={state} />
            {!item.file && !item.error && (
              <span
                class="bar"
                role="progressbar"
                aria-label={t("uploading", { name: item.name, percent })}
                aria-valuenow={percent}
                style={{ "--done": String(item.done) }}
              />
            )}
            {remove && (
              <IconButton icon="close" class="tiny" label={t("remove", { name: item.name })} onClick={() => remove(item.id)} />
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The files that went out with a question. */
export function Sent({ files }: { files: (Attachment | Item)[] }) {
  const { t } = usePanel();
  if (!files.length) return null;
  return (
    <ul class="chips sent" aria-label={t("attachments")}>
      {files.map((file) => (
        <li key={file.id} class="chip">
          <Label src={picture("thumb" in file ? file.thumb : file.preview)} name={file.name} state={sizeOf(file)} />
        </li>
      ))}
    </ul>
  );
}

/** Fetch a file of an answer through the kernel, and keep it; a recording is played. */
async function fetchFile(panel: Panel, doc: Document, key: string, { id, name, type }: Download): Promise<void> {
  if (type === "audio" && panel.player.playing === key) return panel.player.stop();
  panel.tell(panel.t("downloading", { name }));
  const answer = await panel.request({ what: "file", key, file: id });
  const value = answer?.value as { name: string; mime: string } | undefined;
  if (!value || !answer?.buffers[0]) return;
  const content = viewBytes(answer.buffers[0]);
  if (type === "audio") void panel.player.play(key, new Blob([content], { type: value.mime })).catch((error) => panel.fail(error));
  else keep(doc, [content], value.mime, value.name);
}

/** Files of an answer. */
export function Downloads({ turn, files }: { turn: string; files: Download[] }) {
  const panel = usePanel();
  if (!files.length) return null;
  return (
    <ul class="chips downloads" aria-label={panel.t("files")}>
      {files.map((file) => (
        <li key={file.id}>
          <Button
            class="chip"
            aria-label={panel.t(file.type === "audio" ? "play" : "download", { name: file.name })}
            onClick={(event) => void fetchFile(panel, event.currentTarget.ownerDocument, turn, file)}
          >
            <Label src={null} name={file.name} state={sizeOf(file)} />
            <Icon name={file.type === "audio" ? "sound" : "download"} />
          </Button>
        </li>
      ))}
    </ul>
  );
}
