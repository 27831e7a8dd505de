"""The apps of the recordings, declared anew: the same nodes under the same names."""

from __future__ import annotations

from typing import Any

from dify_notebook.local.engine.functions import Function, describe

Declared = dict[str, Any]


def check_item(p: str) -> dict[str, str]:
    """Raise for what has 500 in it."""
    if "500" in p:
        raise ValueError("item failed " + p)
    return {"r": p.upper()}


FUNCTIONS: list[Function] = [
    describe(lambda: {"items": ["a", "b", "c"]}, "three_letters", "Three letters."),
    describe(lambda: {"items": ["/ok1", "/status/500", "/ok2"]}, "three_paths", "Three paths."),
    describe(check_item),
    describe(lambda q: {"r": f"P2 {q}"}, "second", "Say it with P2."),
    describe(lambda q: {"r": q}, "same", "Say it again."),
]


def _http(name: str, url: str, follow: str, **more: Any) -> Declared:
    return {"id": name, "type": "http-request", "url": url, "next": follow, **more}


def _answer(name: str, text: str, **more: Any) -> Declared:
    return {"id": name, "type": "answer", "answer": text, **more}


def richflow(web: str) -> Declared:
    letter = {"id": "it_tpl", "type": "template-transform", "template": "<{{ item }}:{{ index }}>",
              "variables": {"item": "iter.item", "index": "iter.index"}}  # fmt: skip
    add = {"id": "l_assign", "type": "assigner", "set": [{"variable": "loop.n", "operation": "+=", "value": 1}]}
    text = (
        "iter={{ iter.output }} p1={{ p1.output }} p2={{ p2.r }} http={{ ok_http.body }} A={{ l1.text }}"
        " B={{ l2.text }} loop={{ loop.n }}"
    )
    return {
        "name": "richflow",
        "mode": "advanced-chat",
        "functions": FUNCTIONS,
        "form": [{"type": "file-list", "variable": "docs", "label": "Docs"}],
        "nodes": [
            {"type": "start", "next": "mk"},
            {"id": "mk", "type": "code", "title": "Make list", "function": "three_letters", "outputs": ["items"],
             "next": "iter"},
            {"id": "iter", "type": "iteration", "over": "mk.items", "output": "it_tpl.output", "nodes": [letter],
             "next": ["p1", "p2", "ok_http"]},
            {"id": "p1", "type": "template-transform", "template": "P1 {{ q }}", "variables": {"q": "sys.query"},
             "next": "l1"},
            {"id": "p2", "type": "code", "function": "second", "inputs": {"q": "sys.query"}, "next": "ans"},
            _http("ok_http", f"{web}/hello?q=1", "ans"),
            {"id": "l1", "type": "llm", "title": "LLM A", "system": "You are helpful.", "user": "A {{ sys.query }}",
             "next": ["l2", "loop"]},
            {"id": "l2", "type": "llm", "title": "LLM B", "system": "You are helpful.", "user": "B {{ sys.query }}",
             "next": "ans"},
            {"id": "loop", "type": "loop", "count": 3, "nodes": [add], "next": "ans",
             "variables": [{"name": "n", "type": "number", "value": 0}],
             "until": [{"value_of": "loop.n", "is": "≥", "value": 2}]},
            _answer("ans", text),
        ],
    }  # fmt: skip


def multianswer(web: str) -> Declared:
    return {
        "name": "multianswer",
        "mode": "advanced-chat",
        "functions": FUNCTIONS,
        "nodes": [
            {"type": "start", "next": "a1"},
            _answer("a1", "First part. ", next="slow"),
            {"id": "slow", "type": "code", "title": "Slow code", "function": "same", "inputs": {"q": "sys.query"},
             "next": "a2"},
            _answer("a2", "Second part {{ slow.r }}."),
        ],
    }  # fmt: skip


def failflow(web: str, nothing: str) -> Declared:
    def case(name: str, follow: str) -> Declared:
        return {"id": name, "next": follow, "when": [{"value_of": "sys.query", "is": "contains", "value": name}]}

    bad = "failed branch: {{ http_branch.error_message }} / {{ http_branch.error_type }}"
    return {
        "name": "failflow",
        "mode": "advanced-chat",
        "nodes": [
            {"type": "start", "next": "route"},
            {"id": "route", "type": "if-else", "else": "plain", "cases": [
                case("retry", "http_retry"), case("branch", "http_branch"), case("default", "http_default"),
                case("after", "pre"), case("status", "http_status"),
            ]},
            _http("http_retry", f"{nothing}/retry", "ans_retry", retry={"times": 3, "interval": 0}),
            _answer("ans_retry", "{{ http_retry.body }}"),
            _http("http_branch", f"{nothing}/branch", "ans_good", on_error="fail-branch", fail="ans_bad"),
            _answer("ans_good", "good"),
            _answer("ans_bad", bad),
            _http("http_default", f"{nothing}/default", "ans_http_default", on_error="default-value",
                  default={"body": "DEFAULT BODY", "status_code": 0, "headers": {}}),
            _answer("ans_http_default", "default: {{ http_default.body }}"),
            _answer("pre", "Before the failure. ", title="Pre", next="http_after"),
            _http("http_after", f"{nothing}/after", "ans_after"),
            _answer("ans_after", "{{ http_after.body }}"),
            _http("http_status", f"{web}/status/503", "ans_http_status"),
            _answer("ans_http_status", "status: {{ http_status.body }}"),
            _answer("plain", "plain"),
        ],
    }  # fmt: skip


def iterfail(web: str) -> Declared:
    def way(letter: str, **more: Any) -> list[Declared]:
        inner = {"id": f"code{letter}", "type": "code", "title": "Inner", "function": "check_item",
                 "inputs": {"p": f"iter{letter}.item"}, "outputs": ["r"]}  # fmt: skip
        return [
            {"id": f"mk{letter}", "type": "code", "title": f"List {letter}", "function": "three_paths",
             "outputs": ["items"], "next": f"iter{letter}"},
            {"id": f"iter{letter}", "type": "iteration", "title": f"Iter {letter}", "over": f"mk{letter}.items",
             "output": f"code{letter}.r", "nodes": [inner], "next": f"ans{letter}", **more},
            _answer(f"ans{letter}", f"out={{{{ iter{letter}.output }}}}"),
        ]  # fmt: skip

    return {
        "name": "iterfail",
        "mode": "advanced-chat",
        "functions": FUNCTIONS,
        "nodes": [
            {"type": "start", "next": "route"},
            {"id": "route", "type": "if-else", "else": "mkc", "cases": [
                {"id": "cont", "next": "mka", "when": [{"value_of": "sys.query", "is": "contains", "value": "continue"}]},
                {"id": "par", "next": "mkb", "when": [{"value_of": "sys.query", "is": "contains", "value": "parallel"}]},
            ]},
            *way("a", on_item_error="continue-on-error"),
            *way("b", on_item_error="remove-abnormal-output", parallel=10),
            *way("c"),
        ],
    }  # fmt: skip


FORM = [
    {"type": "text-input", "variable": "city", "label": "City", "required": True, "max_length": 12},
    {"type": "paragraph", "variable": "bio", "label": "Bio", "max_length": 100},
    {"type": "select", "variable": "tone", "label": "Tone", "options": ["formal", "casual"]},
    {"type": "number", "variable": "age", "label": "Age"},
    {"type": "file", "variable": "doc", "label": "Doc", "max_length": 5, "allowed_file_types": ["image", "document"],
     "allowed_file_upload_methods": ["local_file", "remote_url"]},
]  # fmt: skip


def flow(web: str) -> Declared:
    """The app that the recordings call chatflow."""
    return {
        "name": "chatflow",
        "mode": "advanced-chat",
        "opening_statement": "Hello {{city}}! I am a chatflow.",
        "suggested_questions": ["Q one?", "Q two?"],
        "follow_up_questions": ["And now?"],
        "form": FORM,
        "files": {"types": ["image", "document"], "extensions": [".jpg", ".png"],
                  "methods": ["local_file", "remote_url"]},
        "variables": [
            {"name": "counter", "type": "number", "value": 0},
            {"name": "last_q", "type": "string"},
            {"name": "history", "type": "array[string]"},
            {"name": "profile", "type": "object", "value": {"k": "v"}},
        ],
        "nodes": [
            {"type": "start", "next": "assign"},
            {"id": "assign", "type": "assigner", "next": "route", "set": [
                {"variable": "conversation.counter", "operation": "+=", "value": 1},
                {"variable": "conversation.last_q", "operation": "over-write", "from": "sys.query"},
                {"variable": "conversation.history", "operation": "append", "from": "sys.query"},
            ]},
            {"id": "route", "type": "if-else", "else": "llm", "cases": [
                {"id": "tpl", "next": "tmpl", "when": [{"value_of": "sys.query", "is": "contains", "value": "template"}]},
            ]},
            {"id": "tmpl", "type": "template-transform", "template": "T {{ sys.query }}", "next": "ans_tpl"},
            _answer("ans_tpl", "{{ tmpl.output }}"),
            {"id": "llm", "type": "llm", "system": "You live in {{ city }}. counter={{ conversation.counter }}",
             "next": "ans_llm"},
            _answer("ans_llm", "Reply: {{ llm.text }}\n(count {{ conversation.counter }})", title="Answer LLM"),
        ],
    }  # fmt: skip


def current_time(timezone: str = "UTC") -> str:
    """A date."""
    return "2026-11-21"


def agent() -> Declared:
    tool = describe(current_time)
    return {"name": "agent-chat", "mode": "agent-chat", "prompt": "You are an agent.", "tools": [tool]}


def plain() -> Declared:
    return {"name": "plain-chat", "mode": "chat"}


def rag(files: str) -> Declared:
    return {"name": "rag-chat", "mode": "chat", "knowledge": [{"name": "Freedonia facts", "files": [files]}]}
