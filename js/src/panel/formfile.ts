// A field for files in a form of a run: they go up as those of a question do.
import type { FileControl } from "../form";
import type { FormField, FormState } from "../protocol.gen";
import type { Panel } from "./panel";
import { bytes } from "./rules";

export function fileControl(panel: Panel, { name: field, many }: FormField, { place }: FormState): FileControl {
  const { uploads, store, t } = panel;
  const el = document.createElement("input");
  el.type = "file";
  el.multiple = many;
  const said = document.createElement("div");
  said.className = "hint";
  said.setAttribute("role", "status");
  const mine = () => uploads.of(field, place);
  let shown = false;
  const tell = () => {
    if (el.isConnected) shown = true;
    else if (shown) return unwatch(); // the form was answered, or is drawn anew
    else return;
    if (!said.isConnected) el.after(said);
    const lines = mine().map(({ name, size, file, error, done }) =>
      error ?? (file ? `${name} (${bytes(size)})` : t("uploading", { name, percent: Math.round(100 * done) })),
    );
    const text = lines.join(" · ");
    if (said.textContent !== text) said.textContent = text;
  };
  const unwatch = store.watch(() => queueMicrotask(tell));
  queueMicrotask(tell);
  el.addEventListener("change", () => {
    for (const { id } of mine()) uploads.remove(id);
    for (const file of el.files ?? []) uploads.add(file, field, place);
    tell();
  });
  return {
    el,
    // One that is on its way still, or did not arrive, is none yet.
    value: () => {
      const items = mine();
      return items.length && items.every(({ file }) => file) ? items.map(({ id }) => id) : undefined;
    },
  };
}
