"""Texts that want to be more than text, in every field of a turn; used by unit and browser tests."""



from __future__ import annotations

import msgspec

from dify_notebook.turn.state import (
    AgentLog,
    Audio,
    Citation,
    Form,
    MessageFile,
    Node,
    Retry,
    Round,
    Status,
    Thought,
    Timing,
    Turn,
    TurnError,
    Usage,
    Warning_,
    Workflow,
)

HOSTILE = (
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "<svg onload=window.pwned=1><a xlink:href='javascript:window.pwned=1'>x</a></svg>",
    "</details></summary></td></table></div><script>window.pwned=1</script>",
    "'\"><iframe src=javascript:window.pwned=1></iframe>",
    '" onmouseover="window.pwned=1" style="position:fixed;top:0',
    "</style><style>*{background:url(https://evil.example/s)}</style>",
    "<button data-commandlinker-command='terminal:create-new' data-commandlinker-args='{}'>click</button>",
    "<form action=https://evil.example/f><input name=x autofocus onfocus=window.pwned=1></form>",
    "<base href=https://evil.example/><meta http-equiv=refresh content='0;url=https://evil.example/m'>",
    "<link rel=stylesheet href=https://evil.example/c.css><object data=https://evil.example/o></object>",
    "<video src=https://evil.example/v autoplay onerror=window.pwned=1></video><embed src=https://evil.example/e>",
    "[a](javascript:window.pwned=1) [b](data:text/html,<script>window.pwned=1</script>) [c](vbscript:x) <javascript:x>",
    "[d](java&#x09;script:window.pwned=1) [e]( javascript&colon;window.pwned=1) [f](\x01javascript:window.pwned=1)",
    "[g]\n\n[g]: javascript:window.pwned=1 'x'",
    "![i](https://evil.example/beacon.png) ![j](data:image/svg+xml;base64,PHN2Zz4=) [![k](https://evil.example/k.png)](https://ok.example)",
    '![" onerror="window.pwned=1](https://evil.example/q.png"onerror="window.pwned=1)',
    'https://user:pass@evil.example/ <https://evil.example/"onmouseover=window.pwned=1>',
    '```html"><script>window.pwned=1</script>\n</code></pre><script>window.pwned=1</script>\n```',
    "````\n```\n````\n~~~ onload=x\n<b>\n",
    "| <script>window.pwned=1</script> | `</td><script>` |\n|---|---|\n| \\| x | <img src=x onerror=window.pwned=1> | extra |",
    "- <li onclick=window.pwned=1>\n  > </blockquote><script>window.pwned=1</script>",
    "$$\\href{javascript:window.pwned=1}{x}$$ $\\unicode{x3c}script$ \\(</script><script>window.pwned=1</script>\\)",
    "{{constructor.constructor('window.pwned=1')()}} ${window.pwned=1} #{window.pwned=1} <%= 1 %>",
    "\u202egnp.exe\u2066 \u200f bidi \u2069",
    "\x1b[2J\x1b]0;title\x07\x1b[31mred \x9b31m \r\x08\x7f NUL:\x00",
    "lone \ud800 surrogate \udfff \ufffe",
    "W" * 5_000,
    "**" * 500 + "[" * 500 + "`" * 499 + "<" * 500,
    "&lt;script&gt;window.pwned=1&lt;/script&gt; &#60;script&#62;",
    "<!--><script>window.pwned=1</script>--><![CDATA[<script>window.pwned=1</script>]]><?php ?>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=window.pwned=1>",
    "$$\n<script>window.pwned=1</script>\n$$",
    "- ```\n  x",
    "javascript:window.pwned=1",
)


def hostile_forms(text: str) -> tuple[Form, ...]:
    """A form that waits and one that was answered, with the text wherever an app's author or a person could put it."""
    select = {"type": "constant", "value": [text, text]}
    data = {
        text: text,
        "node_title": text,
        "inputs": [
            {"output_variable_name": text, "type": text, "default": {"type": "constant", "value": text}},
            {"output_variable_name": f"{text}!", "type": "select", "option_source": select},
            {"output_variable_name": f"{text}?", "type": "file-list"},
        ],
        "actions": [{"id": text, "title": text, "button_style": text}],
        "form_content": text,
        "expiration_time": 1e300,
    }
    content = f"{text} {{{{#$output.{text}#}}}} {{{{#$output.{text}!#}}}}\n\n{text}"
    waits = Form(id=text, data=data, content=content, workflow_run_id=text)
    given = {text: text, f"{text}!": {text: [text]}, f"{text}?": {"filename": text}}
    return waits, Form(id=f"{text}2", data=data, content=content, status="filled", action=text, inputs=given)


def hostile_values(text: str) -> dict[str, object]:
    """A run's variables of every kind, with the text wherever an app's author, a model or a file could put one."""
    file = {
        "dify_model_identity": "__dify__file__", "type": text, "related_id": text, "filename": text, "mime_type": text,
        "url": f"https://signed.example/{text}", "remote_url": f"https://signed.example/{text}",
    }  # fmt: skip
    return {
        text: text,
        f"{text}?": f"{text}\n\n{text}",
        f"{text}#": {text: {text: [text, file]}},
        f"{text}|": [text, {text: text}],
        f"{text}*": [{text: text, "file": file, "n": 1}, {text: None, "n": 2}],
        f"{text}_": [[text, 1, file], [None]],
        f"{text}~": file,
        f"{text}!": [file, file],
        f"{text}`": float("nan"),
    }


def hostile_run(text: str, status: Status = "failed") -> Turn:
    """A workflow app's run of that kind: what it was given and what it gave."""
    turn = hostile_turn(text, status)
    told = None if status == "running" else hostile_values(text)
    flow = Workflow(id=text, workflow_id=text, status=text, error=text, inputs=hostile_values(text), outputs=told)
    return msgspec.structs.replace(
        turn, app_mode="workflow", workflow=flow, workflow_run_id=text, error=TurnError("workflow_failed", text)
    )


def hostile_turn(text: str, status: Status = "failed") -> Turn:
    """A turn that has the text wherever a server, a model or a user could put one."""
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.pwned=1'/>"
    return Turn(
        query=text,
        answer=text,
        answer_raw=f"<think>{text}</think>{text}",
        reasoning=text,
        status=status,
        end=None if status == "running" else "error",
        error=TurnError(code=text, message=text, status=400),
        warnings=(
            Warning_(code="damaged", message=text, offset=3, raw=text),
            Warning_(code="connection", message=text, raw=text),
            Warning_(code=text, message=text, raw=text),
        ),
        thoughts=(
            Thought(
                id=text,
                thought=text + "!",
                tool=text,
                tool_input=text,
                observation=text,
                tool_labels={text: {"en_US": text, "zh_Hans": text}},
            ),
        ),
        logs=(
            AgentLog(id=text, label=text, status=text, error=text, data={text: text}, metadata={text: text}),
            AgentLog(id="b", parent_id=text, label=text, status="error", data=text),
        ),
        nodes=(
            Node(
                id=text,
                node_id=text,
                node_type=text,
                title=text,
                status="failed",
                error=text,
                inputs={text: text},
                outputs=text,
                started_at=0.1,
                finished_at=0.4,
                retries=(Retry(index=1, error=text),),
                rounds=(Round(index=0),),
            ),
            Node(id="c", node_type=text, title=text, parent=text, kind="iteration", started_at=0.2),
            Node(id="d", title=text, status=text, parent="d"),  # type: ignore[arg-type]  # no status that there is
        ),
        files=(
            MessageFile(
                id=text, type=text, name=text, mime_type=text, url=f"https://signed.example/{text}", data=svg
            ),
            MessageFile(
                id="p",
                type="image",
                name=text,
                mime_type="image/png",
                data=b"\x89PNG\r\n\x1a\n" + text.encode("utf-8", "replace"),
            ),
            MessageFile(id="q", type="image", name=text, data=b"\x89PN<script>", data_error=text, url=text),
        ),
        citations=(
            Citation(
                position=1, dataset_name=text, document_name=text, content=text, score=0.5, extra={text: text}
            ),
        ),
        usage=Usage(total_tokens=1, total_price=None, currency=text),
        timing=Timing(total=1.0),
        suggested=(text, text),
        feedback=text,
        workflow=Workflow(id=text, status=text, error=text, inputs={text: text}),
        forms=hostile_forms(text),
        audio=Audio(chunks=(text,)),
        annotation={text: text},
        replaced=True,
        message_id=text,
        conversation_id=text,
        task_id=text,
        user=text,
        server=text,
        app=text,
        app_mode=text,
        turn_number=2,
        conversation_name=text,
    )
