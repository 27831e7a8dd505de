// The chat panel's browser half: messages are heard in `initialize` (the first would be lost in `render`).
import { h, render } from "preact";
import { inflate } from "../inflate";
import { App } from "./app";
import { Panel, type Model } from "./panel";
import packed from "./style/panel.css";
import { watchTheme } from "./theme";

/** The panel's own style sheet; shown only with it. */
const css = inflate(packed).text();
const KEYS = ["keydown", "keypress", "keyup"] as const;

/** No higher than the window; but an output that is a frame of its own grows with what is in it. */
const within = (height: number): string => (window === window.top ? `min(${height}px,94vh)` : `${height}px`);

export default () => {
  let panel: Panel | undefined;

  return {
    initialize({ model }: { model: Model }) {
      const mine = (panel = new Panel(model));
      return () => mine.dispose();
    },

    render({ el }: { model: Model; el: HTMLElement }) {
      const mine = panel;
      if (!mine) return;
      const page = el.ownerDocument;
      const place = page.createElement("div");
      place.dataset["lmSuppressShortcuts"] = "true";
      // Landmarks of several panels on a page differ in this.
      let nth = "";
      for (let n = 2; page.querySelector(`[data-nth="${nth}"]`); n++) nth = ` (${n})`;
      place.dataset["nth"] = nth;
      el.replaceChildren(place);
      const shadow = place.attachShadow({ mode: "open" });
      const style = page.createElement("style");
      const root = page.createElement("div");
      root.className = "root";
      shadow.append(style, root);
      // Keys typed in here are not the notebook's commands.
      for (const name of KEYS) place.addEventListener(name, (event) => event.stopPropagation());
      const unwatch = watchTheme(place, (dark) => root.classList.toggle("dark", dark));
      const kept = page.createElement("style");
      page.head.append(kept);
      const resize = () => {
        place.style.setProperty("--height", within(mine.store.height));
        kept.textContent = mine.store.kept;
      };
      const unsize = mine.store.watch(resize);
      resize();
      let gone = false;
      void css.then((text) => {
        style.textContent = `${mine.css}\n${text}`;
        if (!gone) render(<App panel={mine} host={place} />, root);
      });
      return () => {
        gone = true;
        unwatch();
        unsize();
        kept.remove();
        render(null, root);
      };
    },
  };
};
