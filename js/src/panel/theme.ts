// Whether the page around is dark: as its host says it, else as it looks.

/** What the hosts say: JupyterLab and Notebook, VS Code, Colab, documentation pages. */
function said(doc: Document): boolean | null {
  const light = doc.body.dataset["jpThemeLight"];
  if (light) return light === "false";
  if (doc.body.classList.contains("vscode-dark") || doc.body.classList.contains("vscode-high-contrast")) return true;
  if (doc.body.classList.contains("vscode-light")) return false;
  const theme = doc.documentElement.getAttribute("theme") ?? doc.documentElement.dataset["theme"];
  return theme === "dark" ? true : theme === "light" ? false : null;
}

/** Relative lightness of a CSS colour, 0 to 1; null when it is see-through or in a form unknown here. */
export function lightness(colour: string): number | null {
  const parts = colour.match(/^rgba?\(([\d.]+),? *([\d.]+),? *([\d.]+)(?:[,/ ]+([\d.]+))?\)$/);
  if (!parts || Number(parts[4] ?? 1) < 0.5) return null;
  return (0.299 * Number(parts[1]) + 0.587 * Number(parts[2]) + 0.114 * Number(parts[3])) / 255;
}

export function isDark(host: Element): boolean {
  const doc = host.ownerDocument;
  const told = said(doc);
  if (told !== null) return told;
  for (let el: Element | null = host; el; el = el.parentElement) {
    const light = lightness(getComputedStyle(el).backgroundColor);
    if (light !== null) return light < 0.5;
  }
  // A page without any colour is light.
  return false;
}

/** Call `use` now and whenever it changes. */
export function watchTheme(host: Element, use: (dark: boolean) => void): () => void {
  const doc = host.ownerDocument;
  const tell = () => use(isDark(host));
  const observer = new MutationObserver(tell);
  const attributeFilter = ["class", "data-jp-theme-light", "data-theme", "theme", "style"];
  for (const el of [doc.documentElement, doc.body]) observer.observe(el, { attributes: true, attributeFilter });
  tell();
  return () => observer.disconnect();
}
