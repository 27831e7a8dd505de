// The app's form: one control for each kind of input.
import { h, Fragment, type ComponentChildren } from "preact";
import { fault, type Draft } from "./form";
import { Icon } from "./icons";
import type { Panel } from "./panel";
import type { Field } from "./protocol.gen";
import { accepts } from "./rules";
import { useId, usePanel } from "./ui";
import { Chips } from "./attachments";

interface Props {
  /** Show what is wrong, also where nothing was typed yet. */
  strict: boolean;
}

export function Fields({ strict }: Props) {
  const { store, draft, t } = usePanel();
  const frozen = store.conversation?.frozen ?? null;
  return (
    <div class="fields">
      {frozen && (
        <p class="frozen" role="note">
          {frozen}
        </p>
      )}
      {store.app!.form.map((field) => {
        const wrong = fault(field, draft[field.name]);
        const typed = draft[field.name] !== "" && wrong?.[0] !== "fill_in";
        return (
          <Row
            key={field.name}
            field={field}
            locked={frozen !== null}
            problem={wrong && (strict || typed) && frozen === null ? t(...wrong) : ""}
          />
        );
      })}
    </div>
  );
}

function Row({ field, locked, problem }: { field: Field; locked: boolean; problem: string }) {
  const panel = usePanel();
  const { t } = panel;
  const id = useId();
  const value = panel.draft[field.name];
  const about = [field.hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
  const text = typeof value === "string" ? [...value].length : 0;
  const label = (
    <>
      {field.label}
      {field.required && (
        <>
          {" "}
          <span class="required">{t("required")}</span>
        </>
      )}
    </>
  );
  return (
    <div class={`field ${problem ? "wrong" : ""}`}>
      {field.control !== "checkbox" && (
        <label for={id} id={`${id}-label`}>
          {label}
        </label>
      )}
      <Control field={field} id={id} about={about} locked={locked} wrong={!!problem} label={label} />
      <div class="under">
        {problem && (
          <span class="problem" id={`${id}-problem`}>
            {problem}
          </span>
        )}
        {field.hint && <span id={`${id}-hint`}>{field.hint}</span>}
        {field.max_length !== null && text > 0 && !problem && field.control !== "select" && (
          <span class="count">{t("characters", { n: text, max: field.max_length })}</span>
        )}
      </div>
    </div>
  );
}

interface ControlProps {
  field: Field;
  id: string;
  about: string;
  locked: boolean;
  wrong: boolean;
  label: ComponentChildren;
}

function Control({ field, id, about, locked, wrong, label }: ControlProps) {
  const panel = usePanel();
  const value: Draft[string] | undefined = panel.draft[field.name];
  const text = typeof value === "string" ? value : "";
  const type = (event: Event) => panel.set(field.name, (event.currentTarget as HTMLInputElement).value);
  const common = {
    id,
    "aria-describedby": about || undefined,
    "aria-invalid": wrong || undefined,
    "aria-required": field.required,
    "data-field": field.name,
  };
  switch (field.control) {
    case "checkbox":
      return (
        <label class="check">
          <input
            {...common}
            aria-required={undefined}
            type="checkbox"
            checked={value === true}
            disabled={locked}
            onChange={(event) => panel.set(field.name, event.currentTarget.checked)}
          />
          <span>{label}</span>
        </label>
      );
    case "select":
      return (
        <select {...common} value={text} disabled={locked} onChange={type}>
          <option value="">{panel.t("choose")}</option>
          {field.options.map((option) => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      );
    case "paragraph":
    case "json":
      return (
        <textarea
          {...common}
          class={field.control === "json" ? "code" : ""}
          rows={field.control === "json" ? 5 : 3}
          spellcheck={field.control !== "json"}
          value={text}
          readOnly={locked}
          onInput={type}
        />
      );
    case "file":
    case "file-list":
      return <Files field={field} id={id} about={about} locked={locked} wrong={wrong} />;
    default:
      return (
        <input
          {...common}
          type="text"
          inputMode={field.control === "number" ? "decimal" : "text"}
          value={text}
          readOnly={locked}
          onInput={type}
        />
      );
  }
}

/** Upload those of the files that the field takes. */
export function pickFiles(panel: Panel, field: Field, chosen: File[]): void {
  const { uploads, t } = panel;
  const most = room(field);
  const fit = chosen.filter((file) => accepts(field.accept, file));
  for (const file of chosen) if (!fit.includes(file)) panel.tell(t("file_type", { name: file.name }));
  const taken = fit.slice(0, most - uploads.of(field.name).length);
  if (taken.length < fit.length) panel.tell(t("file_count", { n: most }));
  for (const file of taken) uploads.add(file, field.name);
  panel.set(field.name, uploads.of(field.name).map((item) => item.id));
}

/** How many files it takes. */
export const room = (field: Field): number => (field.control === "file-list" ? (field.number ?? Infinity) : 1);

function Files({ field, id, about, locked, wrong }: Omit<ControlProps, "label">) {
  const panel = usePanel();
  const { uploads, t } = panel;
  const many = field.control === "file-list";
  const items = uploads.of(field.name);
  const most = room(field);
  const note = (ids: string[]) => panel.set(field.name, ids);
  const choose = (chosen: File[]) => pickFiles(panel, field, chosen);
  const remove = (gone: string) => {
    uploads.remove(gone);
    note(uploads.of(field.name).map((item) => item.id));
  };
  return (
    <div class="files-field">
      <Chips items={items} remove={locked ? null : remove} />
      {!locked && items.length < most && (
        <label class="button choose">
          <Icon name="attach" />
          <span>{t(many ? "choose_files" : "choose_file")}</span>
          <input
            id={id}
            class="sr"
            type="file"
            aria-labelledby={`${id}-label`}
            aria-describedby={about || undefined}
            aria-invalid={wrong || undefined}
            data-field={field.name}
            multiple={many}
            accept={field.accept}
            onChange={(event) => {
              choose([...(event.currentTarget.files ?? [])]);
              event.currentTarget.value = "";
            }}
          />
        </label>
      )}
    </div>
  );
}
