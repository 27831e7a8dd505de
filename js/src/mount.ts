// One place in the page that shows a feed, inside a shadow root of its own.
import type { Block } from "./protocol.gen";
import type { Feed } from "./feed";
import { create, update, watchDetails } from "./draw";
import type { Kernel } from "./kernel";
import { StopButton } from "./stop";

const STYLE = `:host{display:block}
.dn-stop{position:sticky;top:4px;float:right;z-index:1;margin:2px 0 2px 8px}
.dn-stop[hidden]{display:none}
.dn-stop button{font:12px/1.5 system-ui,sans-serif;padding:1px 10px;margin-left:4px;border:1px solid #8888;border-radius:4px;
background:var(--jp-layout-color1,var(--vscode-editor-background,#fff));
color:var(--jp-ui-font-color1,var(--vscode-editor-foreground,#222));cursor:pointer}
.dn-stop button[aria-disabled]{opacity:.6;cursor:default}
.dn-stop button:focus-visible{outline:2px solid var(--jp-brand-color1,#1976d2);outline-offset:1px}
.dn-stale{opacity:.75}`;

/** Drawing rests this many times what it last took, so that the page stays usable. */
const COST_FACTOR = 3;

export class Mount {
  private readonly shadow: ShadowRoot;
  private readonly stop: StopButton;
  private shown: Block | null = null;
  private el: Element | null = null;
  private pending = false;
  private gone = false;
  private free = 0;
  private readonly watcher = () => this.schedule();

  constructor(
    host: HTMLElement,
    css: string,
    private readonly feed: Feed,
    send: () => void,
    kernel: () => Kernel | undefined,
    private readonly drawn: (root: ShadowRoot) => void = () => undefined,
  ) {
    const doc = host.ownerDocument;
    const place = doc.createElement("div");
    host.replaceChildren(place);
    this.shadow = place.attachShadow({ mode: "open" });
    const style = doc.createElement("style");
    style.textContent = css + STYLE;
    this.stop = new StopButton(doc, feed, send, kernel);
    this.shadow.append(style, this.stop.el);
    watchDetails(this.shadow);
    // Keys typed in here are not the notebook's commands.
    for (const name of ["keydown", "keypress", "keyup"]) place.addEventListener(name, (e) => e.stopPropagation());
    feed.watchers.add(this.watcher);
    this.draw();
  }

  dispose(): void {
    this.gone = true;
    this.feed.watchers.delete(this.watcher);
  }

  private schedule(): void {
    if (this.pending) return;
    this.pending = true;
    const frame = () => requestAnimationFrame(() => this.draw());
    const rest = this.free - performance.now();
    if (rest > 16 && this.feed.open) setTimeout(frame, rest);
    else frame();
  }

  private draw(): void {
    this.pending = false;
    if (this.gone) return;
    const begun = performance.now();
    const root = this.feed.root;
    this.stop.refresh();
    if (root && root !== this.shown) {
      if (this.el && this.shown) this.el = update(this.el, this.shown, root);
      else this.shadow.append((this.el = create(this.shadow.ownerDocument, root)));
      this.shown = root;
    }
    this.drawn(this.shadow);
    this.el?.classList.toggle("dn-stale", this.feed.stale && this.feed.open);
    const ended = performance.now();
    this.free = ended + COST_FACTOR * (ended - begun);
  }
}
