// The live view's browser half: messages are heard in `initialize` (the first would be lost in `render`).
import type { FormState, FromBrowser, FromKernel } from "./protocol.gen";
import { type Kernel, watchKernel } from "./kernel";
import { Hub } from "./hub";
import { Mount } from "./mount";
import { FormPlaces } from "./places";

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
  let forms: FormPlaces | undefined;

  return {
    initialize({ model }: { model: Model }) {
      const { say, remove } = announcer(document);
      const places = (forms = new FormPlaces({
        css: () => String(model.get("css") ?? ""),
        submit: (view, form, action, inputs) =>
          mine.submit({ kind: "submit", view, form, action, inputs: inputs as Record<string, string> }),
      }));
      let drawing = 0;
      const draw = () => {
        drawing ||= requestAnimationFrame(() => {
          drawing = 0;
          places.show(document);
        });
      };
      const holder = {
        set(view: number, states: FormState[]) {
          places.set(view, states);
          draw();
        },
      };
      const mine = (hub = new Hub((message) => model.send(message), say, holder));
      const hear = (message: FromKernel) => mine.receive(message);
      model.on("msg:custom", hear);
      // Outputs come and go: the notebook draws them as it likes.
      const page = new MutationObserver(() => places.any && draw());
      page.observe(document.body, { childList: true, subtree: true });
      const unwatch = watchKernel(model.widget_manager?.kernel, () => places.end());
      // What was sent before this page was loaded is not sent again by itself.
      const timer = setTimeout(() => mine.lacking() && model.send({ kind: "hello", view: null, seq: 0 }), 500);
      return () => {
        clearTimeout(timer);
        model.off("msg:custom", hear);
        page.disconnect();
        unwatch();
        places.end();
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
          (root) => forms?.show(root),
        );
      });
      return () => {
        release();
        mount?.dispose();
      };
    },
  };
};
