"""How everything looks: one table from class to declarations.

The saved form writes them into `style` attributes, since a style sheet does not
survive there; the live view gets them as a style sheet.

The saved form stands on a page that may be light or dark and cannot be asked. So
text takes the page's own colour and becomes quiet by opacity, surfaces are tints of
grey, and colours of their own only mark what is also said in words. One pair does
set both colours, code: no text colour has 4.5:1 on white and on #111 at once (4.35 is
the most there is), so its words stand on a surface of their own. Where the page
has a theme (the `--jp-` variables), a second declaration follows it; a page that
takes away declarations with `var()` keeps the literal before it.
"""

# ruff: noqa: E501 (declarations read better unbroken)

from __future__ import annotations

from functools import cache

_LINE = "rgba(127,127,127,.28)"
_TINT = "rgba(127,127,127,.10)"
_CODE_INK = "color:#24292f;color:var(--jp-content-font-color0,#24292f)"
_CODE_PAPER = "background:#f4f5f7;background:color-mix(in srgb,var(--jp-layout-color0,#fff) 94%,var(--jp-content-font-color0,#000))"


def _ink(literal: str, share: int) -> str:
    """A colour for code: literal on the light surface; with a theme, drawn towards its text colour."""
    mixed = f"color-mix(in srgb,{literal} {share}%,var(--jp-content-font-color0,#000))"
    return f"color:{literal};color:{mixed}"


STYLES: dict[str, str] = {
    "dn": "max-width:860px;font-size:14px;line-height:1.55;overflow-wrap:anywhere",
    # a conversation
    "dn-talk": "max-width:860px;font-size:14px;line-height:1.55",
    "dn-ask": f"margin:14px 0 6px 15%;padding:7px 12px;border-radius:12px;background:{_TINT};white-space:pre-wrap;"
    "overflow-wrap:anywhere",
    # head and foot
    "dn-head": "font-size:12px;line-height:1.5;margin:0 0 6px",
    "dn-title": "font-weight:600",
    "dn-meta": "opacity:.75",
    "dn-wait": "font-variant-numeric:tabular-nums;opacity:.75",
    "dn-foot": f"font-size:12px;line-height:1.5;margin:10px 0 0;padding:5px 0 0;border-top:1px solid {_LINE};"
    "font-variant-numeric:tabular-nums",
    "dn-state": "font-weight:600",
    "dn-more": "font-size:13px;margin:0 0 6px",
    # sections that fold
    "dn-sec": f"margin:5px 0;border:1px solid {_LINE};border-radius:7px;font-size:13px",
    "dn-sum": "cursor:pointer;padding:4px 10px;font-size:12px;line-height:1.6",
    "dn-cap": "font-variant:small-caps;font-size:13.5px;letter-spacing:.03em;font-weight:600;margin-right:4px",
    "dn-icon": "display:inline-block;width:16px;height:16px;line-height:16px;margin-right:5px;border-radius:3px;"
    "vertical-align:-3px;text-align:center",
    "dn-quiet": "opacity:.75;font-variant-numeric:tabular-nums",
    "dn-body": "padding:2px 10px 8px",
    "dn-field": "font-variant:small-caps;font-size:13px;letter-spacing:.03em;opacity:.75;margin:6px 0 2px",
    "dn-val": f"margin:0;padding:6px 8px;border:none;border-radius:5px;background:{_TINT};font-size:12px;line-height:1.5;"
    "white-space:pre-wrap;overflow-wrap:anywhere;max-height:320px;overflow:auto",
    "dn-note-cut": "font-size:12px;opacity:.75",
    "dn-plain": "white-space:pre-wrap;overflow-wrap:anywhere",
    # what a run was given, and what it gave
    "dn-outs": "width:100%;border-collapse:collapse;border:none;margin:0 0 6px;font-size:13px;"
    "table-layout:fixed",
    "dn-or": "background:none;border:none",
    "dn-on": f"width:22%;text-align:left;vertical-align:top;padding:5px 12px 5px 0;border:none;border-top:1px solid {_LINE};"
    "font-weight:600;max-width:none;overflow-wrap:anywhere",
    "dn-ov": f"text-align:left;vertical-align:top;padding:5px 0;border:none;border-top:1px solid {_LINE};max-width:none;"
    "overflow-wrap:anywhere",
    "dn-number": "font-variant-numeric:tabular-nums",
    # the timeline
    "dn-tl": "width:100%;border-collapse:collapse;border:none;margin:0;font-size:12px;line-height:1.5;table-layout:fixed",
    "dn-tlr": "background:none;border:none",
    "dn-tlh": "font-weight:400;font-variant:small-caps;font-size:12.5px;letter-spacing:.03em;opacity:.75;text-align:left;"
    "padding:0 8px 2px 0;border:none;background:none",
    "dn-c1": "width:38%",
    "dn-c3": "width:92px",
    "dn-c4": "width:72px;text-align:right",
    "dn-c5": "width:64px;text-align:right;padding-right:0",
    "dn-tlc": "text-align:left;vertical-align:top;line-height:1.5;padding:2px 8px 2px 0;border:none;max-width:none",
    "dn-tln": "text-align:right;vertical-align:top;line-height:1.5;padding:2px 8px 2px 0;border:none;font-variant-numeric:tabular-nums;"
    "white-space:nowrap",
    "dn-tle": "padding-right:0",
    "dn-name": "font-weight:600",
    "dn-io": "margin:0",
    "dn-ios": "cursor:pointer",
    "dn-iob": "width:256%;max-width:none;padding:0 0 4px",
    "dn-track": "height:6px;margin:6px 0 0;border-radius:3px;background:rgba(127,127,127,.16)",
    "dn-mini": "display:flex;height:4px;margin:2px 0 3px;border-radius:2px;background:rgba(127,127,127,.16);overflow:hidden",
    "dn-bar": "display:block;height:100%;min-width:3px;border-radius:3px;background:#8a8f98",
    "dn-ok": "background:#2b9a78",
    "dn-run": "background:#3f83f0",
    "dn-bad": "background:#d9534f",
    "dn-warm": "background:#c8810e",
    # words of a status: the sign carries the colour, the word says it
    "dn-sign": "display:inline-block;min-width:1.1em;font-weight:700",
    "dn-gok": "color:#23906e",
    "dn-grun": "color:#3f83f0",
    "dn-gbad": "color:#d9534f",
    "dn-gwarm": "color:#b9770a",
    # notices
    "dn-note": f"margin:6px 0;padding:5px 10px;border-left:3px solid #8a8f98;border-radius:0 5px 5px 0;background:{_TINT};"
    "font-size:13px",
    "dn-nbad": "border-left-color:#d9534f;background:rgba(217,83,79,.11)",
    "dn-nwarm": "border-left-color:#c8810e;background:rgba(200,129,14,.11)",
    # what a run asks a person
    "dn-form": f"margin:8px 0;padding:8px 12px;border:1px solid {_LINE};border-radius:7px;font-size:13px",
    # files and sources
    "dn-file": "margin:6px 0;font-size:13px",
    "dn-pic": "display:block;max-width:100%;max-height:480px;border-radius:6px",
    "dn-src": "margin:4px 0",
    # the answer
    "dn-answer": "margin:8px 0 0",
    "dn-text": "margin:0",
    "dn-p": "margin:0 0 .65em",
    "dn-h": "font-weight:650;line-height:1.3;margin:1em 0 .45em",
    "dn-h1": "font-size:1.4em",
    "dn-h2": "font-size:1.22em",
    "dn-h3": "font-size:1.08em",
    "dn-h4": "font-size:1em",
    "dn-h5": "font-size:.95em",
    "dn-h6": "font-size:.9em;opacity:.85",
    "dn-rule": f"border:none;border-top:1px solid {_LINE};margin:1em 0;height:0",
    "dn-list": "margin:0 0 .65em;padding-left:1.7em",
    "dn-li": "margin:.15em 0",
    "dn-quote": f"margin:0 0 .65em;padding:1px 0 1px 12px;border:none;border-left:3px solid {_LINE};opacity:.85",
    # Often used, so short: every use is written out in the saved form.
    "dn-code": "padding:.1em .35em;border-radius:4px;background:rgba(127,127,127,.15);color:inherit",
    "dn-pre": f"margin:0 0 .75em;padding:9px 12px;border:none;border-radius:7px;overflow:auto;font-size:12.5px;line-height:1.5;"
    f"font-family:ui-monospace,Menlo,Consolas,monospace;white-space:pre;{_CODE_PAPER};{_CODE_INK}",
    "dn-prec": "background:none;color:inherit;padding:0;border:none;font-family:inherit;font-size:inherit;white-space:pre",
    "dn-hk": _ink("#a3226f", 58),
    "dn-hf": _ink("#0b57b0", 55),
    "dn-hb": _ink("#8a4a00", 58),
    "dn-hs": _ink("#0c6b45", 58),
    "dn-hn": _ink("#8a4a00", 58),
    "dn-hc": _ink("#5b6672", 62) + ";font-style:italic",
    "dn-math": "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.95em",
    "dn-display": "margin:0 0 .65em;padding:2px 0;text-align:center;overflow-x:auto",
    "dn-scroll": "overflow-x:auto;margin:0 0 .75em",
    "dn-table": "border-collapse:collapse;margin:0;font-size:13px;table-layout:auto",
    "dn-rows": "overflow-wrap:break-word",
    "dn-tr": "background:none",
    "dn-th": f"text-align:left;vertical-align:top;padding:4px 12px 4px 0;border:none;border-bottom:1px solid {_LINE};"
    "font-weight:600;max-width:none",
    "dn-td": f"text-align:left;padding:4px 12px 4px 0;border:none;border-bottom:1px solid {_TINT}",
    "dn-left": "text-align:left",
    "dn-center": "text-align:center",
    "dn-right": "text-align:right",
    "dn-a": "color:inherit;color:var(--jp-content-link-color,inherit);text-decoration:underline",
    "dn-img": "font-size:.95em",
    # answers beside each other
    "dn-wide": "max-width:none",
    "dn-cols": "clear:both;display:flex;flex-wrap:wrap;gap:10px 14px;margin:0 0 12px",
    "dn-colm": f"flex:1 1 260px;min-width:0;padding:6px 8px;border:1px solid {_LINE};border-radius:7px",
    "dn-even": "width:100%;table-layout:fixed",
    "dn-ch": "width:110px",
    "dn-top": f"vertical-align:top;overflow-wrap:anywhere;max-width:none;border-bottom:1px solid {_LINE}",
    # what one has and another has not: underlined and struck, for whoever sees no colours
    "dn-ins": "background:rgba(43,154,120,.18);text-decoration:underline;border-radius:2px",
    "dn-del": "background:rgba(217,83,79,.16);text-decoration:line-through;border-radius:2px",
}
"""Class -> declarations, in the order in which they win over each other."""
_SAVED = frozenset(("dn-even", "dn-ch", "dn-top", "dn-ins", "dn-del"))
"""Classes of saved forms alone: no notebook has to carry their rules."""

_LIVE = """
.dn{color:var(--jp-content-font-color1,var(--vscode-editor-foreground,#1f2328));
background:var(--jp-layout-color0,var(--vscode-editor-background,#fff));
font-family:var(--jp-content-font-family,system-ui,-apple-system,"Segoe UI","Noto Sans","PingFang SC","Microsoft YaHei",sans-serif);
padding:4px 10px 6px}
.dn-a{color:var(--jp-content-link-color,var(--vscode-textLink-foreground,#0b57d0))}
.dn,.dn-given{container-type:inline-size}
.dn-wide{container-type:normal}
.dn .dn{padding:0}
@container (max-width:420px){.dn-tlr>:nth-child(2),.dn-tlr>:nth-child(5){display:none}.dn-c1{width:auto}}
@container (max-width:420px){.dn-or,.dn-on,.dn-ov{display:block;width:auto}.dn-on{padding-bottom:0}.dn-ov{border-top:none;padding-top:0}}
.dn-slot:empty{display:none}
.dn-code{font-size:.9em}
.dn-td{vertical-align:top}
.dn-code,.dn-val{font-family:ui-monospace,Menlo,Consolas,monospace}
.dn-bar{transition:width .25s linear,margin-left .25s linear}
.dn-run{background-image:linear-gradient(90deg,transparent,rgba(255,255,255,.45),transparent);
background-size:40% 100%;background-repeat:no-repeat;animation:dn-flow 1.6s linear infinite}
.dn-grun{animation:dn-pulse 1.4s ease-in-out infinite}
.dn-sum:hover,.dn-ios:hover{background:rgba(127,127,127,.08)}
.dn-sum{border-radius:7px}
.dn-sum::marker,.dn-ios::marker{color:#8a8f98}
.dn-live>.dn-answer>:last-child:not(pre):not(ul):not(ol):not(div)::after{content:"";display:inline-block;width:.5em;height:1em;
margin-left:.15em;vertical-align:-.15em;border-radius:2px;background:#8a8f98;animation:dn-pulse 1.1s ease-in-out infinite}
.dn-ov>.dn-file{margin:0}
.dn-answer>:last-child{margin-bottom:0}
.dn-answer>:first-child{margin-top:0}
summary:focus-visible,a:focus-visible,pre:focus-visible{outline:2px solid var(--jp-brand-color1,#1976d2);outline-offset:1px;border-radius:4px}
@keyframes dn-flow{from{background-position:-70% 0}to{background-position:170% 0}}
@keyframes dn-pulse{50%{opacity:.35}}
@media (prefers-reduced-motion:reduce){.dn-bar{transition:none}
.dn-run,.dn-grun,.dn-live>.dn-answer>:last-child::after{animation:none!important}}
"""


@cache
def css() -> str:
    """The style sheet of the live view, for a shadow root."""
    rules = "\n".join(f".{name}{{{declared}}}" for name, declared in STYLES.items() if name not in _SAVED)
    return f"{rules}{_LIVE}"


@cache
def inline_styles(classes: str) -> str:
    """The declarations of a `class` value, as text for a `style` attribute."""
    return "".join(f"{STYLES[name]};" for name in classes.split() if name in STYLES)
