// A JSON value as a tree that unfolds; long texts and lists are folded.
import { h, Fragment, type ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button, usePanel } from "./ui";

/** Characters of a text, and entries of a list, that are shown at first. */
const TEXT = 300;
const ENTRIES = 30;

export function Json({ value, name, open = false }: { value: unknown; name?: string; open?: boolean }) {
  const label = name === undefined ? null : <span class="j-name">{name}</span>;
  if (value === null || typeof value !== "object") {
    return (
      <div class="j-leaf">
        {label}
        <Leaf value={value} />
      </div>
    );
  }
  return <Branch value={value} label={label} open={open} />;
}

function Branch({ value, label, open }: { value: object; label: ComponentChildren; open: boolean }) {
  const { t } = usePanel();
  const [shown, setShown] = useState(open);
  const [most, setMost] = useState(ENTRIES);
  const entries = Object.entries(value);
  const list = Array.isArray(value);
  if (!entries.length) {
    return (
      <div class="j-leaf">
        {label}
        <span class="j-quiet">{list ? "[ ]" : "{ }"}</span>
      </div>
    );
  }
  // What is folded is not drawn: a value may be large.
  return (
    <details class="j-branch" open={shown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>
        {label}
        <span class="j-quiet">{list ? `[ ${t("items", { n: entries.length })} ]` : `{ ${entries.slice(0, 4).map(([key]) => key).join(", ")}${entries.length > 4 ? ", …" : ""} }`}</span>
      </summary>
      {shown && (
        <div class="j-body">
          {entries.slice(0, most).map(([key, inner]) => (
            <Json key={key} name={key} value={inner} />
          ))}
          {entries.length > most && (
            <Button class="link" onClick={() => setMost(most + 10 * ENTRIES)}>
              {t("more")}
            </Button>
          )}
        </div>
      )}
    </details>
  );
}

function Leaf({ value }: { value: unknown }) {
  const { t } = usePanel();
  const [whole, setWhole] = useState(false);
  if (typeof value !== "string") return <span class="j-value">{JSON.stringify(value) ?? "null"}</span>;
  if (!value) return <span class="j-quiet">{t("empty")}</span>;
  const long = value.length > TEXT;
  return (
    <span class="j-text">
      {long && !whole ? `${value.slice(0, TEXT)} …` : value}
      {long && (
        <>
          {" "}
          <Button class="link" onClick={() => setWhole(!whole)}>
            {t(whole ? "less" : "all")}
          </Button>
        </>
      )}
    </span>
  );
}
