// The live view's browser half: messages are heard in `initialize` (the first would be lost in `render`).
import type { FromBrowser, FromKernel } from "./protocol.gen";
import type { Kernel } from "./stop";
import { Hub } from "./hub";
import { Mount } from "./mount";

interface Model {
  get(name: string): unknown;
  on(name: string, callback: (message: FromKernel) => void): void;
  off(name: string, callback: (message: FromKernel) => void): void;
  send(message: FromBrowser): void;
  widget_manager: { kernel?: Kernel };
}

/** A place that screen readers follow; in the page itself, since outputs are replaced when a view ends. */
function announcer(doc: Document): { say: (text: string) => void; remove: () => void } {
  let el: HTMLElement | undefined;
  return {
    say(text) {
      if (!el?.isConnected) {
        el = doc.createElement("div");
        el.setAttribute("role", "status");
        el.setAttribute("aria-live", "polite");
        el.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
        doc.body.append(el);
      }
      el.textContent = text;
    },
    remove: () => el?.remove(),
  };
}

export default () => {
  let hub: Hub | undefined;

  return {
    initialize({ model }: { model: Model }) {
      const { say, remove } = announcer(document);
      const mine = (hub = new Hub((message) => model.send(message), say));
      const hear = (message: FromKernel) => mine.receive(message);
      model.on("msg:custom", hear);
      // What was sent before this page was loaded is not sent again by itself.
      const timer = setTimeout(() => mine.lacking() && model.send({ kind: "hello", view: null, seq: 0 }), 500);
      return () => {
        clearTimeout(timer);
        model.off("msg:custom", hear);
        mine.dispose();
        remove();
      };
    },

    render({ model, el }: { model: Model; el: HTMLElement }) {
      const mine = hub;
      if (!mine) return;
      let mount: Mount | undefined;
      const release = mine.claim((feed) => {
        mount?.dispose();
        mount = new Mount(
          el,
          String(model.get("css") ?? ""),
          feed,
          () => mine.send({ kind: "stop", view: feed.view }),
          () => model.widget_manager?.kernel,
        );
      });
      return () => {
        release();
        mount?.dispose();
      };
    },
  };
};
