// The live view's browser half: messages are heard in `initialize` (the first would be lost in `render`).
import type { Feed } from "./feed";
import { type Kernel, watchKernel } from "./kernel";
import { Hub } from "./hub";
import { Mount } from "./mount";
import { PageForms } from "./page";
import type { FromBrowser, FromKernel } from "./protocol.gen";

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
  let mountIn: ((el: HTMLElement, feed: Feed) => Mount) | undefined;

  return {
    initialize({ model }: { model: Model }) {
      const { say, remove } = announcer(document);
      const css = () => String(model.get("css") ?? "");
      const kernel = () => model.widget_manager?.kernel;
      mountIn = (el, feed) =>
        new Mount(el, css(), feed, () => model.send({ kind: "stop", view: feed.view }), kernel, (root) => forms.places.show(root));
      const forms = new PageForms(document, css, (submit) => mine.submit(submit), mountIn);
      const mine = (hub = new Hub((message) => model.send(message), say, forms));
      const hear = (message: FromKernel) => mine.receive(message);
      model.on("msg:custom", hear);
      const unwatch = watchKernel(kernel(), () => forms.places.end());
      // What was sent before this page was loaded is not sent again by itself.
      const timer = setTimeout(() => mine.lacking() && model.send({ kind: "hello", view: null, seq: 0 }), 500);
      return () => {
        clearTimeout(timer);
        model.off("msg:custom", hear);
        unwatch();
        forms.dispose();
        mine.dispose();
        remove();
      };
    },

    render({ el }: { model: Model; el: HTMLElement }) {
      if (!hub || !mountIn) return;
      const put = mountIn;
      let mount: Mount | undefined;
      const release = hub.claim((feed) => {
        mount?.dispose();
        mount = put(el, feed);
      });
      return () => {
        release();
        mount?.dispose();
      };
    },
  };
};
