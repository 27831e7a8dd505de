// The Stop button: asks the kernel; where it cannot hear because this very cell blocks it, interrupts.
import type { Feed } from "./feed";
import type { Kernel } from "./kernel";

/** Milliseconds in which a kernel that can hear has answered. */
const ANSWER = 300;

export class StopButton {
  readonly el: HTMLElement;
  private readonly button: HTMLButtonElement;
  private pressed = false;

  constructor(
    doc: Document,
    private readonly feed: Feed,
    private readonly send: () => void,
    private readonly kernel: () => Kernel | undefined,
  ) {
    this.el = doc.createElement("div");
    this.el.className = "dn-stop";
    this.button = this.add("", () => this.press());
  }

  /** Show what the feed's state asks for. */
  refresh(): void {
    const { open, labels } = this.feed;
    this.el.hidden = !open || !labels;
    if (labels && !this.pressed) this.button.textContent = labels.stop;
  }

  private add(label: string, act: () => void): HTMLButtonElement {
    const button = this.el.ownerDocument.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", act);
    this.el.append(button);
    return button;
  }

  private press(): void {
    const { feed, button } = this;
    if (this.pressed || !feed.labels) return;
    this.pressed = true;
    button.textContent = feed.labels.stopping;
    // Not `disabled`: that would throw the keyboard's focus out of the view.
    button.setAttribute("aria-disabled", "true");
    const timer = setTimeout(() => {
      feed.heard = null;
      if (feed.open) this.unheard();
    }, ANSWER);
    feed.heard = () => clearTimeout(timer);
    this.send();
  }

  private unheard(): void {
    const { feed, button } = this;
    if (feed.blocking) {
      void this.kernel()?.interrupt();
      return;
    }
    // Another cell keeps the kernel busy: perhaps somebody's long work, so ask first.
    const labels = feed.labels!;
    button.textContent = labels.queued;
    const second = this.add(labels.interrupt, () => {
      if (this.el.ownerDocument.defaultView?.confirm(labels.confirm)) void this.kernel()?.interrupt();
    });
    feed.heard = () => second.remove();
  }
}
