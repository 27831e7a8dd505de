"""The workflow and completion apps of the recordings, declared anew: the same nodes under the same names."""

from __future__ import annotations

from typing import Any

from contract import human_apps
from contract.declared_apps import FUNCTIONS, check_item
from contract.workflow_apps import Gate
from support.fake_model import Said, delta, end, usage, words

from dify_notebook.local.engine.functions import describe

Declared = dict[str, Any]
REFUSALS = {"HTTP401": 401, "HTTP500": 500, "RATELIMIT": 429, "llmdef": 429}
FILES: Declared = {
    "allowed_file_types": ["image", "document"], "allowed_file_upload_methods": ["local_file", "remote_url"],
}  # fmt: skip
PERSON: list[Declared] = [
    {"type": "text-input", "variable": "city", "max_length": 12},
    {"type": "paragraph", "variable": "bio", "max_length": 100},
    {"type": "select", "variable": "tone", "options": ["formal", "casual"]},
    {"type": "number", "variable": "age"},
]
Q: list[Declared] = [{"type": "paragraph", "variable": "q", "required": True, "max_length": 25_000}]


def model(body: dict[str, Any]) -> Said:
    """What stood behind the recordings repeats what it is asked, and fails where that tells it to."""
    asked = str(body["messages"][-1]["content"])
    for word, status in REFUSALS.items():
        if word in asked:
            return Said(status=status, body={"error": {"message": f"[stub] error {status}"}})
    if "[[fail:" in asked:
        return Said(status=500, body={"error": {"message": "[stub] overloaded"}})
    if "EMPTY" in asked:
        return words("", 11, 0)
    if "MIDFAIL" in asked:
        return Said([delta(content="this"), delta(content=" breaks"), {"error": {"message": "broke"}}], done=False)
    if "THINK" in asked:
        return words("<think>\nI should greet.\n</think>\nHello")
    if "LONG" in asked:
        return Said([*(delta(content=f"word{at} ") for at in range(100)), end(), usage(3, 100)], pause=0.02)
    if "SLOWLY" in asked:
        return Said([delta(content=asked), end(), usage(3, 1)], pause=0.03)
    return words(f"You said: {asked}")


def _workflow(name: str, nodes: list[Declared], form: list[Declared], **more: Any) -> Declared:
    return {"name": name, "mode": "workflow", "nodes": nodes, "form": form, "functions": [*FUNCTIONS, *OWN], **more}


def _start(*following: str) -> Declared:
    return {"type": "start", "next": list(following)}


def _llm(name: str, follow: str, text: str = "{{ q }}", **more: Any) -> Declared:
    return {"id": name, "type": "llm", "system": "You help.", "user": text, "next": follow, **more}


def _code(name: str, function: str, follow: str, **more: Any) -> Declared:
    return {"id": name, "type": "code", "function": function, "next": follow, **more}


def _http(name: str, url: str, follow: str, **more: Any) -> Declared:
    return {"id": name, "type": "http-request", "url": url, "next": follow, **more}


def _end(name: str = "end", **outputs: str) -> Declared:
    return {"id": name, "type": "end", "outputs": outputs}


def _template(name: str, text: str, follow: str) -> Declared:
    return {"id": name, "type": "template-transform", "template": text, "next": follow}


def _case(name: str, follow: str) -> Declared:
    return {"id": name, "next": follow, "when": [{"value_of": "q", "is": "contains", "value": name}]}


def _every_kind(city: str) -> dict[str, Any]:
    return {"s": f"{city} 你好 🎉", "n": 42, "f": 3.5, "o": {"k": [1, 2], "nul": None}, "as_": ["a", "b"], "an": [1, 2.5],
            "ao": [{"a": 1}], "nope": None}  # fmt: skip


def _boom() -> dict[str, Any]:
    raise ValueError("boom")


OWN = [
    describe(_every_kind, "every_kind", "Values of every kind."),
    describe(_boom, "boom", "Fails."),
    describe(lambda: {"s": "lorem ipsum 你好 " * 3000, "a": list(range(900))}, "big", "A large text."),
    describe(check_item, "check", "Fails for some."),
    describe(lambda: {"items": [f"item {at}" for at in range(40)]}, "many", "Forty texts."),
]


def _form() -> Declared:
    kinds = ("s", "n", "f", "o", "as_", "an", "ao")
    outputs = {"text": "t.output", **{name: f"c.{name}" for name in kinds}, "doc": "doc", "docs": "docs", "city": "city",
               "age": "age", "nope": "c.nope"}  # fmt: skip
    fields = [{**PERSON[0], "required": True}, *PERSON[1:], {"type": "file", "variable": "doc", **FILES},
              {"type": "file-list", "variable": "docs", **FILES}]  # fmt: skip
    nodes = [
        _start("t"), _template("t", "Hi {{ city }}, {{ bio }} / {{ tone }} / {{ age }}", "c"),
        _code("c", "every_kind", "end", inputs={"city": "{{ city }}"}), _end(**outputs),
    ]  # fmt: skip
    return _workflow("wf-form", nodes, fields, files={"types": ["image", "document"], "methods": ["local_file", "remote_url"]})


def _fail(web: str, nothing: str) -> Declared:
    ways = {
        "retry": "http_retry", "default": "http_default", "after": "pre", "status": "http_status", "code": "bad_code",
        "exact": "wrongtype", "big": "big", "noroute": "dead", "empty": "e_empty", "llmdef": "llm_d", "plain": "http_plain",
        "timeout": "http_timeout",
    }  # fmt: skip
    default = {"body": "DEFAULT BODY", "status_code": 0, "headers": {}}
    never = [{"id": "x", "next": "e_never", "when": [{"value_of": "q", "is": "contains", "value": "NEVEREVER"}]}]
    nodes = [
        _start("route"),
        {"id": "route", "type": "if-else", "cases": [_case(name, follow) for name, follow in ways.items()]},
        _http("http_retry", f"{nothing}/retry", "e_retry", retry={"times": 3, "interval": 0}), _end("e_retry", body="http_retry.body"),
        _http("http_default", f"{nothing}/default", "e_default", on_error="default-value", default=default),
        _end("e_default", body="http_default.body", code="http_default.status_code", files="http_default.files"),
        _llm("pre", "http_after"), _http("http_after", f"{nothing}/after", "e_after"),
        _end("e_after", pre="pre.text", body="http_after.body"),
        _http("http_status", f"{web}/status/503", "e_status"), _end("e_status", body="http_status.body"),
        _http("http_plain", f"{nothing}/plain", "e_plain"), _end("e_plain", body="http_plain.body"),
        _http("http_timeout", f"{nothing}/late", "e_late"), _end("e_late", body="http_timeout.body"),
        _code("bad_code", "boom", "e_code"), _end("e_code", r="bad_code.r"),
        _code("wrongtype", "big", "e_exact", outputs=["missing"]), _end("e_exact", r="wrongtype.missing"),
        _code("big", "big", "e_big"), _end("e_big", s="big.s", a="big.a"),
        {"id": "dead", "type": "if-else", "cases": never}, _end("e_never"), _end("e_empty"),
        _llm("llm_d", "e_llmd", on_error="default-value", default={"text": "DEFAULT TEXT"}), _end("e_llmd", text="llm_d.text"),
    ]  # fmt: skip
    return _workflow("wf-fail", nodes, Q)


def _iterfail() -> Declared:
    def way(letter: str, **more: Any) -> list[Declared]:
        inner = _code(f"code{letter}", "check", "", inputs={"p": f"iter{letter}.item"}, outputs=["r"])
        del inner["next"]
        return [
            _code(f"mk{letter}", "three_paths", f"iter{letter}", outputs=["items"]),
            {"id": f"iter{letter}", "type": "iteration", "over": f"mk{letter}.items", "output": f"code{letter}.r",
             "nodes": [inner], "next": f"end{letter}", **more},
            _end(f"end{letter}", out=f"iter{letter}.output"),
        ]  # fmt: skip

    cases = [_case("continue", "mka"), _case("parallel", "mkb"), _case("terminate", "mkc")]
    nodes = [
        _start("route"), {"id": "route", "type": "if-else", "cases": cases}, *way("a", on_item_error="continue-on-error"),
        *way("b", on_item_error="remove-abnormal-output", parallel=10), *way("c"),
    ]  # fmt: skip
    return _workflow("wf-iterfail", nodes, Q)


def _rounds() -> Declared:
    inner = [_template("t", "SLOWLY {{ each.item }}", "llm"), _llm("llm", "", "{{ t.output }}")]
    del inner[1]["next"]
    nodes = [
        _start("list"), _code("list", "many", "each", outputs=["items"]),
        {"id": "each", "type": "iteration", "over": "list.items", "output": "llm.text", "nodes": inner, "next": "end"},
        _end(out="each.output"),
    ]  # fmt: skip
    return _workflow("wf-rounds", nodes, Q)


def _slow(web: str, gate: Gate) -> Declared:
    cases = [_case("sleep", "wait"), _case("http", "late")]
    nodes = [
        _start("route"), {"id": "route", "type": "if-else", "cases": cases},
        _code("wait", "wait", "e_wait", inputs={"q": "{{ q }}"}, outputs=["r"]), _end("e_wait", r="wait.r"),
        _http("late", f"{web}/slow", "e_late"), _end("e_late", body="late.body"),
    ]  # fmt: skip
    made = _workflow("wf-slow", nodes, Q)
    return {**made, "functions": [*made["functions"], describe(gate.wait, "wait", "Wait.")]}


def _simple(name: str, form: list[Declared], **more: Any) -> Declared:
    """An app of which only what it tells of itself was recorded, or what it refuses."""
    return _workflow(name, [_start("t"), _template("t", "said", "end"), _end(out="t.output")], form, **more)


def declared(web: str, nothing: str, gate: Gate) -> list[Declared]:
    """All of them.

    Args:
        web: origin of a server that answers.
        nothing: one where none does.
        gate: what the slow one waits at.
    """
    spoken = [_start("llm"), _llm("llm", "end"), _end(text="llm.text", usage="llm.usage")]
    three = [node for name in "abc" for node in (_llm(f"l{name}", f"end{name}", name.upper() + " {{ q }}"),)]
    parallel = [
        _start("la", "lb", "lc"), *three, _end("enda", a="la.text"), _end("endb", same="q", b="lb.text"), _end("endc", c_len="q"),
    ]  # fmt: skip
    two = [
        _start("l1"), _llm("l1", "mid", "ONE {{ q }}"), _template("mid", "-- {{ l1.text }} --", "l2"), _llm("l2", "end", "TWO {{ q }}"),
        _end(first="l1.text", mid="mid.output", second="l2.text"),
    ]  # fmt: skip
    said = [_start("t"), _template("t", "version 2 says {{ q }}", "end"), _end(out="t.output")]
    city = [_start("t"), _template("t", "Hi {{ city }}", "end"), _end(out="t.output")]
    newest = [
        _start("llm"), _llm("llm", "t", "{{ text }}"), _template("t", "<{{ llm.text }}>", "end"), _end(text="llm.text", wrapped="t.output"),
    ]  # fmt: skip
    boom = [_start("boom"), _code("boom", "boom", "end"), _end(r="boom.r")]
    asking = {**human_apps.ask("ask", "Ask", "end", "end"), "form_content": "Check {{ text }} {{#$output.note#}}"}
    text: Declared = {"type": "paragraph", "variable": "text", "required": True, "max_length": 48}
    query: Declared = {"type": "paragraph", "variable": "query", "required": True}
    voice = {"name": "alloy"}
    sound = {"name": "alloy", "auto_play": True}
    files = {"types": ["image", "document"], "methods": ["local_file", "remote_url"]}

    def completion(name: str, form: list[Declared], prompt: str = "{{ query }}", **more: Any) -> Declared:
        return {"name": name, "mode": "completion", "form": form, "prompt": prompt, **more}

    return [
        _workflow("wf-llm", spoken, Q), _workflow("wf-tts", spoken, Q, voice=sound), _workflow("wf-par", parallel, Q),
        _workflow("wf-two", two, Q), _workflow("wf-ver", said, Q), _form(), _fail(web, nothing), _iterfail(),
        _rounds(), _slow(web, gate), _simple("wf-file", [{"type": "file", "variable": "doc", "required": True, **FILES}]),
        _workflow("wf-mod", spoken, [*Q, {"type": "file-list", "variable": "docs", **FILES}], files=files),
        _simple("wf-agent", Q),
        _simple("wf-rich", Q), _simple("wf-unpublished", Q), _simple("wf-disabled", Q),
        _simple("wf-short", [{**Q[0], "max_length": 5000}]),
        _workflow("workflow", city, [{**PERSON[0], "required": True}]),
        _workflow("workflow-116", newest, [text, {"type": "number", "variable": "n"}]),
        _workflow("failworkflow", boom, []),
        _workflow("humanworkflow", [_start("ask"), asking, _end(note="ask.note")], [text]),
        completion("completion", [query], voice=voice, files=files),
        completion("comp-form", [query, {**PERSON[0], "required": True}, *PERSON[1:]], files=files),
        completion("comp-noform", [], "Say something."), completion("comp-tts", [query], voice=sound),
        completion("comp-mod", [query], moderation={"words": ["forbidden", "said"], "question": "INPUT BLOCKED", "answer": "OUTPUT"}, voice=voice),
    ]  # fmt: skip


APPS = {
    # Case, without its endpoint -> the app that was asked.
    "llm-*": "wf-llm", "stop-code-*": "wf-slow", "stop-iteration*": "wf-rounds",
    "stop-*": "wf-llm", "big-input-over-*": "wf-short", "big-input-*": "wf-llm",
    "*disconnect-*": "wf-slow", "mod-*": "wf-mod", "http-slow-*": "wf-slow", "ping-*": "wf-slow", "fail-*": "wf-fail", "big-text-*": "wf-fail", "iterfail-*": "wf-iterfail",
    "parallel-*": "wf-par", "concurrent-*": "wf-par", "two-*": "wf-two", "tts-*": "wf-tts", "by-id-*": "wf-ver",
    "ok-*": "workflow", "workflow-*": "workflow-116", "failworkflow-*": "failworkflow", "humanworkflow-*": "humanworkflow",
    "*": "wf-form",
}  # fmt: skip
COMPLETIONS = {
    "comp-form-*": "comp-form", "err-form-*": "comp-form", "file-*": "comp-form", "comp-noform-*": "comp-noform",
    "mod-*": "comp-mod", "tts-*": "comp-tts", "*": "completion",
}  # fmt: skip
