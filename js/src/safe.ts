// What may become an element. The kernel makes safe HTML; this is the second line, in case it is ever wrong.

const TAGS = new Set(
  ("a abbr article audio b blockquote br button caption cite code col colgroup dd del details dfn div dl dt em " +
    "figcaption figure footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li mark meter ol p pre progress q rp rt ruby " +
    "s samp section small span strong sub summary sup table tbody td tfoot th thead time tr u ul var video wbr").split(" "),
);
const ATTRS = new Set(
  ("align alt class colspan controls datetime dir download height href high lang low max media min open optimum rel " +
    "reversed role rowspan scope span src start style target title type value width").split(" "),
);
const LINK = /^(https?:|mailto:|tel:|#)/i;
const FILE = /^data:/i;
const SOURCE = /^data:(image|audio|video)\//i;

/** Whether an element may have this attribute. */
function allowed(el: Element, name: string, value: string): boolean {
  if (name === "href") return LINK.test(value) || (FILE.test(value) && el.hasAttribute("download"));
  if (name === "src") return SOURCE.test(value);
  if (name === "style") return !/url\(|expression|@import|position\s*:\s*fixed/i.test(value);
  return ATTRS.has(name) || name.startsWith("aria-");
}

export function setAttribute(el: Element, name: string, value: string): void {
  if (allowed(el, name, value)) el.setAttribute(name, value);
}

export function createElement(doc: Document, tag: string): HTMLElement {
  return doc.createElement(TAGS.has(tag) ? tag : "div");
}

/** Put inner HTML into an element, without what has no business there. */
export function setHtml(el: Element, html: string): void {
  if (!/[<&]/.test(html)) {
    el.textContent = html;
    return;
  }
  const template = el.ownerDocument.createElement("template");
  template.innerHTML = html;
  for (const inner of template.content.querySelectorAll("*")) {
    if (!TAGS.has(inner.localName)) inner.remove();
    else {
      for (const { name, value } of [...inner.attributes]) {
        if (!allowed(inner, name, value)) inner.removeAttribute(name);
      }
    }
  }
  el.replaceChildren(template.content);
}
