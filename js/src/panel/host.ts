// What the page around the panel can do: interrupt the kernel, insert a cell, keep a file, fill the clipboard.

export { type Kernel, watchKernel } from "../kernel";

interface NotebookContent {
  widgets: { node: HTMLElement }[];
  activeCellIndex: number;
  activeCell: { model: { sharedModel: { setSource(text: string): void } } } | null;
}

interface JupyterApp {
  commands: { hasCommand(id: string): boolean; execute(id: string): Promise<unknown> };
  shell: { currentWidget: { content?: NotebookContent } | null };
}

const INSERT = "notebook:insert-cell-below";
const RUN = "notebook:run-cell";

/** The application, where it shows itself to the page. */
const application = (): JupyterApp | undefined => (window as { jupyterapp?: JupyterApp }).jupyterapp;

/** The application, and the notebook that holds this element, active at its cell. */
function notebookOf(el: Element): { app: JupyterApp; content: NotebookContent } | null {
  const app = application();
  const content = app?.shell.currentWidget?.content;
  const index = content?.widgets?.findIndex((cell) => cell.node.contains((el.getRootNode() as ShadowRoot).host ?? el)) ?? -1;
  if (!app || !content || index < 0 || !app.commands.hasCommand(INSERT)) return null;
  content.activeCellIndex = index;
  return { app, content };
}

/** Whether cells can be inserted at all. */
export const canInsert = (): boolean => !!application()?.commands.hasCommand(INSERT);

/** Put a new cell with this text below the panel's. */
export async function insertCell(el: Element, text: string): Promise<boolean> {
  const found = notebookOf(el);
  if (!found) return false;
  await found.app.commands.execute(INSERT);
  found.content.activeCell?.model.sharedModel.setSource(text);
  return !!found.content.activeCell;
}

/** Run the panel's cell again: after a restart that makes a panel that has a kernel. */
export async function runAgain(el: Element): Promise<boolean> {
  const found = notebookOf(el);
  if (!found) return false;
  await found.app.commands.execute(RUN);
  return true;
}

/** Whether the text is in the clipboard now. */
export async function copyText(place: HTMLElement, text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No https, or no permission: the old way needs an element with the text selected.
    const area = place.ownerDocument.createElement("textarea");
    area.value = text;
    area.style.cssText = "position:absolute;opacity:0;pointer-events:none";
    place.append(area);
    area.select();
    const done = place.ownerDocument.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Keep the bytes as a file. */
export function keep(doc: Document, parts: BlobPart[], mime: string, name: string): void {
  const link = doc.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: mime || "application/octet-stream" }));
  link.download = name.replace(/[\\/:*?"<>|\0-\x1f]/g, "_") || "file";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
