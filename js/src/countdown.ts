// How long a form can still be answered: seen always, said to a screen reader twice before the end.
import type { FormLabels } from "./protocol.gen";

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;
/** Seconds before the end at which it is said. */
const SAID = [60, 300];
/** A unit is taken from two of it on: "in 90 minutes" says more than "in 1 hour". */
const FROM = 2;

export class Countdown {
  readonly el: HTMLElement;
  over = false;
  private end: number | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = Infinity;

  constructor(
    doc: Document,
    private readonly labels: FormLabels,
    private readonly said: HTMLElement,
    private readonly ended: () => void,
  ) {
    this.el = doc.createElement("span");
    this.el.className = "time";
    // Read when it is looked for, never by itself.
    this.el.setAttribute("role", "timer");
  }

  /** Begin with so many seconds; null where nobody told when it ends. */
  start(left: number | null): void {
    this.stop();
    this.end = left === null ? null : Date.now() + 1000 * left;
    this.over = left !== null && left <= 0;
    this.tick();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.el.textContent = "";
  }

  private tick(): void {
    if (this.end === null) return;
    const left = Math.ceil((this.end - Date.now()) / 1000);
    if (left <= 0) {
      this.el.textContent = "";
      if (!this.over) {
        this.over = true;
        this.ended();
      }
      return;
    }
    const [unit, size] = UNITS.find(([, seconds]) => left >= FROM * seconds) ?? UNITS[3];
    const time = new Intl.RelativeTimeFormat(this.labels.lang).format(Math.floor(left / size), unit);
    const text = this.labels.expires.replaceAll("{time}", () => time);
    this.el.textContent = text;
    if (SAID.some((at) => left <= at && this.last > at && this.last !== Infinity)) this.said.textContent = text;
    this.last = left;
    // To the next change, and never longer than a timer can.
    const next = size === 1 ? 1 : (left % size) + 1;
    this.timer = setTimeout(() => this.tick(), Math.min(1000 * next, 3_600_000));
  }
}
