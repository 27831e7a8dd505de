// Small pictures, drawn with strokes in the colour of the text around them.
import { h } from "preact";

const PATHS = {
  annotate: "M4 4h12v8.5H9.5L6 16v-3.5H4zM7.2 7.2h5.6M7.2 9.6h3.4",
  arrowDown: "M10 4.5v11M5.5 11l4.5 4.5L14.5 11",
  attach: "M15.2 9.4 9.6 15a3.5 3.5 0 0 1-5-5l5.9-5.8a2.3 2.3 0 0 1 3.3 3.3L8 13.2a1.1 1.1 0 0 1-1.6-1.6l5.2-5.1",
  cell: "M3.5 5h13v10h-13zM6.5 8.2 8.3 10l-1.8 1.8M10.3 12h3",
  check: "M4.5 10.5 8.3 14l7.2-8",
  close: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  compose: "M15.5 10.5v5h-11v-11h5M8.3 11.7l.5-2.3 6-6 1.8 1.8-6 6z",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  download: "M10 4v8.4M6.4 9.2 10 12.8l3.6-3.6M4.5 16h11",
  edit: "M4.5 15.5l.6-3 7.6-7.6 2.4 2.4-7.6 7.6zM11 6.5l2.5 2.5",
  file: "M5.5 3.5h5.8l3.2 3.2v9.8h-9zM11 3.8V7h3.2",
  like: "M6.4 8.8v6.7H4V8.8zM6.4 9l3-5.2c1.2 0 1.8.8 1.5 2l-.6 2.4h4.1c1 0 1.6.8 1.4 1.7l-.9 4.3c-.2.8-.8 1.3-1.5 1.3h-7",
  menu: "M5 10h.01M10 10h.01M15 10h.01",
  mic: "M10 3.5a2.2 2.2 0 0 1 2.2 2.2v3.6a2.2 2.2 0 0 1-4.4 0V5.7A2.2 2.2 0 0 1 10 3.5zM5.2 9.3a4.8 4.8 0 0 0 9.6 0M10 14.1v2.6",
  panel: "M3.5 4.5h13v11h-13zM8 4.5v11",
  plus: "M10 4.5v11M4.5 10h11",
  regenerate: "M15.4 8.2A5.7 5.7 0 1 0 15.7 11M15.6 4.6v3.7h-3.7",
  search: "M9 4.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6zM12.5 12.5l3.5 3.5",
  send: "M10 16V4.5M5.2 9.2 10 4.4l4.8 4.8",
  sliders: "M4 6.5h12M4 13.5h12M12 4.5v4M8 11.5v4",
  sound: "M4 8v4h2.6l3.6 3V5L6.6 8zM12.8 7.6a3.4 3.4 0 0 1 0 4.8M14.8 5.6a6.2 6.2 0 0 1 0 8.8",
  spark: "M10 3l1.8 5.2L17 10l-5.2 1.8L10 17l-1.8-5.2L3 10l5.2-1.8z",
  steps: "M5.2 3.7a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zM5.2 13.1a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2zM5.2 6.9v6.2M9.5 5.3h6.5M9.5 14.7h6.5M9.5 10h4.5",
  stop: "M6 6h8v8H6z",
  trash: "M4.5 6h11M8 6V4.2h4V6M6 6l.7 10h6.6L14 6M8.6 8.8v4.6M11.4 8.8v4.6",
  variables: "M8 4H6.5v5L5 10l1.5 1v5H8M12 4h1.5v5l1.5 1-1.5 1v5H12",
} as const;

export type IconName = keyof typeof PATHS | "dislike";

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 20 20" width="18" height="18" class={`icon i-${name}`} aria-hidden="true">
      <path d={PATHS[name === "dislike" ? "like" : name]} />
    </svg>
  );
}
