"""What a person expects of every recorded stream of a workflow app.

Written as the table of `expected_streams.py` is, and judged so:

* What a run gave are its `outputs`, as told at its end. Its answer is the texts among them, whatever was streamed: Dify
  0.15 streams only what models write, and nothing beside parallel branches; 1.12 renders every output, numbers and
  tables too.
* A run that failed or was stopped has no outputs (null in 0.15, an empty object in 1.12 and newer): what was streamed
  stays its answer.
* Where nothing but "User requested stop" is wrong, the run was stopped, by whomever, whatever its status is called.
* What was spent are the run's tokens, and what its nodes tell of their parts and prices. Both are kept as told: a run
  that was stopped in an iteration says 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

from contract.expected_turn import Expected, words


@dataclass(frozen=True)
class Run(Expected):
    """One stream of a workflow app. Defaults are those of an uneventful run without a model."""

    end: str = field(default="eof", kw_only=True)
    tokens: int | None = field(default=0, kw_only=True)
    outputs: dict[str, Any] | None = field(default=None, kw_only=True)
    """A file is (name, type, size)."""
    error: str = field(default="", kw_only=True)
    """How the last line of its error begins."""
    spent: tuple[int | None, int | None, str | None] = field(default=(None, None, None), kw_only=True)
    """Prompt tokens, completion tokens and price."""


R = Run

RED_DOT = ("red dot 你.png", "image", 73)
NOTE = ("note 你.txt", "document", 28)
REMOTE = ("x.png", "image", None)
LOREM = "lorem ipsum 你好 " * 4600
MARKDOWN = '# Title\n\n```python\nprint("hi")\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$E=mc^2$'
DETAILS = (
    '<details style="color:gray;background-color: #f8f8f8;padding: 8px;border-radius: 4px;" open> '
    "<summary> Thinking... </summary>"
)
PRICES = {"0.15.3": "0", "1.12.1": "0.0000250"}


def echo(text: str) -> str:
    """What the stub model answers."""
    return f"You said: {text} (messages=2) 你好 🎉 naïve."


def version(case: str) -> str:
    return case.partition("/")[0]


def llm(case: str, ids: str, text: str, *, answer: str | None = None, **more: Any) -> Run:
    """Of the app with one model, whose outputs are its text and what it spent."""
    outputs: dict[str, Any] = {"text": text, "usage": ANY}
    spent = (11, 7, PRICES[version(case)])
    return R(case, ids, text if answer is None else answer, nodes=3, tokens=18, spent=spent, outputs=outputs, **more)


def none_told(case: str) -> dict[str, Any] | None:
    """How a version says that a run has no outputs."""
    return None if version(case) == "0.15.3" else {}


def fails(case: str, ids: str, error: str, *, answer: str = "", **more: Any) -> Run:
    more |= {"status": "failed", "end": "error", "error_code": "workflow_failed", "error": error}
    return R(case, ids, answer, outputs=none_told(case), **more)


def stops(case: str, ids: str, *, answer: str = "", **more: Any) -> Run:
    return R(case, ids, answer, status="stopped", end="stopped", outputs=none_told(case), **more)


def form(
    case: str,
    ids: str,
    *,
    city: str = "Paris",
    bio: str | None = None,
    tone: str | None = None,
    age: float | None = None,
    doc: object = None,
    docs: object = None,
    **more: Any,
) -> Run:
    """Of the app with a form of every kind of field, whose outputs are of every type; three of them are texts."""
    text = f"Hi {city}, {bio} / {tone} / {age}"
    outputs: dict[str, Any] = {
        "text": text, "s": f"{city} 你好 🎉", "n": 42, "f": 3.5,
        "o": {"k": [1, 2], "é": "ü", "nul": None, "nest": {"a": {"b": "c"}}},
        "as_": ["a", "b"], "an": [1, 2.5], "ao": [{"a": 1}],
        "doc": doc, "docs": docs, "city": city, "age": age, "nope": None,
    }  # fmt: skip
    texts = [text, f"{city} 你好 🎉", *([city] if city else [])]
    return R(case, ids, "\n\n".join(texts), nodes=4, outputs=outputs, **more)


RUNS: list[Expected] = [
    # 0.15.3/keepalive
    llm("0.15.3/keepalive__workflows-run-streaming", "- - 9698 56fa", echo("hi")),

    # 0.15.3/nginx
    llm("0.15.3/nginx__workflows-run-streaming", "- - 2ddb 698f", echo("hi")),

    # 0.15.3/workflows-run
    llm("0.15.3/workflows-run__big-input-20kB-streaming", "- - 0d7c 332d", echo("长" * 80)),
    # The largest event is 239 kB.
    R("0.15.3/workflows-run__big-text-streaming", "- - 4114 2a46", LOREM, nodes=4,
      outputs={"s": LOREM, "a": list(range(900))}),
    R("0.15.3/workflows-run__by-id-none", "- - 82e8 9ed0", "version 2 says hi", nodes=3,
      outputs={"out": "version 2 says hi"}),
    # Two ends are reached side by side: only the outputs of the one that came last are kept, here the other than in
    # parallel-two-ends. Beside parallel branches nothing is streamed.
    R("0.15.3/workflows-run__concurrent-0", "- - 427d a78b", echo("B hi 0") + "\n\nhi 0",
      nodes=7, tokens=54, spent=(33, 21, "0"),
      outputs={"b": echo("B hi 0"), "same": "hi 0"}),
    R("0.15.3/workflows-run__concurrent-2", "- - c914 328d", "hi 2", nodes=7, tokens=54, spent=(33, 21, "0"),
      outputs={"c_len": "hi 2"}),
    # The recorder closed the socket when nothing was told but that the start had begun.
    R("0.15.3/workflows-run__disconnect-slow-at-2s", "- - a0af 4551", "", status="incomplete", end="disconnected",
      complete=False, nodes=1, node_status={"Start": "unknown"}, tokens=None),
    form("0.15.3/workflows-run__err-file-null", "- - 1dc9 abaf"),
    form("0.15.3/workflows-run__err-files-not-list", "- - 3489 df29"),
    form("0.15.3/workflows-run__err-int-user", "- - 61c5 9f27"),
    form("0.15.3/workflows-run__err-number-empty", "- - 085e f279"),
    form("0.15.3/workflows-run__err-number-float", "- - 5f4b c1ab", age=3.5),
    form("0.15.3/workflows-run__err-number-huge", "- - 8ee2 e35a", age=10**30),
    # Of three texts one is empty, and one begins with a blank that is its own.
    form("0.15.3/workflows-run__err-required-empty", "- - 1a14 0c6c", city=""),
    form("0.15.3/workflows-run__err-with-query", "- - 13b4 a2d1"),
    form("0.15.3/workflows-run__err-with-trace-id", "- - 9470 8b48"),
    # An end that was reached had streamed its text; a run that fails has no outputs, and the text stays.
    fails("0.15.3/workflows-run__fail-after-streaming", "- - ef7f fad7", "[Errno 111] Connection refused",
      answer=echo("after"), nodes=4, node_status={"HTTP Request": "failed"}, tokens=18,
      spent=(11, 7, "0")),
    fails("0.15.3/workflows-run__fail-code-streaming", "- - 832a 5b9f", "ValueError: boom 你好", nodes=3,
      node_status={"Code": "failed"}),
    # A default stood in for the node that failed.
    R("0.15.3/workflows-run__fail-default-streaming", "- - 5cb9 b5cb", "DEFAULT BODY", status="partial_succeeded",
      nodes=4, node_status={"HTTP Request": "exception"}, outputs={"body": "DEFAULT BODY", "code": 0, "files": None}),
    # An end without outputs.
    R("0.15.3/workflows-run__fail-empty-streaming", "- - f5e1 48bf", "", nodes=3),
    fails("0.15.3/workflows-run__fail-exact-streaming", "- - 8390 4b6b", "Output variable `n` must be a number",
      nodes=3, node_status={"Code": "failed"}),
    R("0.15.3/workflows-run__fail-llmdef-streaming", "- - 7329 0462", "DEFAULT TEXT", status="partial_succeeded",
      nodes=4, node_status={"LLM default": "exception"}, outputs={"text": "DEFAULT TEXT"}),
    # A branch without an end.
    R("0.15.3/workflows-run__fail-noroute-streaming", "- - b17e 28f5", "", nodes=3),
    # Each try has an id of its own, none of which was started: one run of one node.
    fails("0.15.3/workflows-run__fail-retry-streaming", "- - 9a9c c29f", "[Errno 111] Connection refused", nodes=3,
      node_status={"HTTP Request": "failed"}, retries=3),
    fails("0.15.3/workflows-run__fail-timeout-streaming", "- - dc0d 5cfe", "timed out", nodes=3,
      node_status={"HTTP Request": "failed"}),
    fails("0.15.3/workflows-run__file-extract-png-fails-streaming", "- - 9947 9907", "Unsupported Extension Type: .png",
      nodes=2, node_status={"Doc extractor": "failed"}),
    form("0.15.3/workflows-run__file-list-two-streaming", "- - e3cd e587", docs=[RED_DOT, REMOTE], files=2),
    # A file among the outputs is a file; it is one of the turn's as well.
    form("0.15.3/workflows-run__file-local-streaming", "- - 6187 5a53", doc=RED_DOT, files=1),
    form("0.15.3/workflows-run__form-all-streaming", "- - 384e 3499", city="北京 🎉", age=33, bio="b\nc \"q\" <x>", tone="casual"),
    form("0.15.3/workflows-run__form-min-streaming", "- - 09d2 a58c"),
    # No text among the outputs: they are told as JSON, whatever was streamed. The round that failed is the second.
    R("0.15.3/workflows-run__iterfail-continue-streaming", "- - 67f8 784a", '["/OK1",null,"/OK2"]', nodes=8,
      rounds={"Iter a": 3}, node_status={"Inner": "failed"}, outputs={"out": ["/OK1", None, "/OK2"]}),
    fails("0.15.3/workflows-run__iterfail-terminate-streaming", "- - e4be e9c6", "ValueError: item failed /status/500",
      nodes=6, rounds={"Iter c": 2}, node_status={"Inner": "failed", "Iter c": "failed"}),
    # The text is empty: what the model spent is no answer.
    llm("0.15.3/workflows-run__llm-empty-streaming", "- - 5ce6 82f5", ""),
    llm("0.15.3/workflows-run__llm-hello-streaming", "- - 2a63 dd29", echo('Hello 你好 "quote" <b>')),
    fails("0.15.3/workflows-run__llm-http500-streaming", "- - 3648 4258", "[openai_api_compatible] Error: API request failed with status code 500",
      nodes=2, node_status={"LLM": "failed"}),
    llm("0.15.3/workflows-run__llm-markdown-streaming", "- - f5e3 f4a1", MARKDOWN),
    fails("0.15.3/workflows-run__llm-midfail-streaming", "- - c201 31c8", "[openai_api_compatible] Error: Response ended prematurely",
      answer="this answer will break before", nodes=2, node_status={"LLM": "failed"}),
    fails("0.15.3/workflows-run__llm-ratelimit-streaming", "- - 70ef 702e", "[openai_api_compatible] Error: API request failed with status code 429",
      nodes=2, node_status={"LLM": "failed"}),
    llm("0.15.3/workflows-run__llm-slowstart12", "- - ec24 1826", echo("SLOWSTART12"),
      pings=1),
    llm("0.15.3/workflows-run__llm-think-streaming", "- - 3359 6c4b",
      DETAILS + "\nI should greet.\n</details>\nHello after thinking.",
      answer="Hello after thinking.", reasoning="I should greet."),
    R("0.15.3/workflows-run__ok-streaming", "- - e327 5e1b", "Hi Paris", nodes=3, outputs={"out": "Hi Paris"}),
    R("0.15.3/workflows-run__parallel-two-ends-streaming", "- - 8af0 c20d", echo("A hi"),
      nodes=7, tokens=54, spent=(33, 21, "0"), outputs={"a": echo("A hi")}),
    R("0.15.3/workflows-run__ping-silent-12s", "- - 8ecd a9d3", "sleep", nodes=4, pings=1, outputs={"r": "sleep"}),
    # The wire says that it was stopped: nobody has to have asked for it here.
    stops("0.15.3/workflows-run__stop-code-sleep", "- - fc27 abc7", nodes=3, node_status={"Sleep 12": "stopped"}),
    stops("0.15.3/workflows-run__stop-iteration-again-0", "- - b7a0 5ad4", nodes=5, rounds={"Iteration": 1},
      node_status={"Iteration": "stopped"}, spent=(11, 7, "0")),
    stops("0.15.3/workflows-run__stop-iteration-again-1", "- - 0fa8 763a", nodes=6, rounds={"Iteration": 2},
      node_status={"Iter template": "stopped", "Iteration": "stopped"}, spent=(11, 7, "0")),
    stops("0.15.3/workflows-run__stop-iteration-again-2", "- - e5f7 7ba7", nodes=7, rounds={"Iteration": 2},
      node_status={"Iteration": "stopped"}, spent=(22, 14, "0")),
    # The run counts no tokens when it is stopped in an iteration; its nodes do.
    stops("0.15.3/workflows-run__stop-iteration", "- - 712f 29c6", nodes=5, rounds={"Iteration": 1},
      node_status={"Iteration": "stopped"}, spent=(11, 7, "0")),
    # Another user cannot stop it.
    llm("0.15.3/workflows-run__stop-llm-wrong-user", "- - 4f73 decf", words(400), pings=2),
    # Nor can another app; the recorder closed the socket after 120 pieces.
    R("0.15.3/workflows-run__stop-other-app-key", "- - 43bb c02b", words(120), status="incomplete",
      end="disconnected", complete=False, nodes=2, node_status={"LLM": "unknown"}, tokens=None),
    R("0.15.3/workflows-run__sysfiles-wf-file", "- - 4656 f5ca", "hello text 你好 🎉\nline2", nodes=3, files=2,
      outputs={"text": "hello text 你好 🎉\nline2", "doc": NOTE, "docs": None, "sysfiles": [RED_DOT]}),
    # Files that the app has no use for are none of its outputs.
    form("0.15.3/workflows-run__sysfiles", "- - ea41 a1ca"),
    # Speech comes between the pieces of text and after the end.
    llm("0.15.3/workflows-run__tts-streaming", "- - 0af2 2b8e", echo("say hi. And one more sentence. Bye."),
      audio_chunks=4),

    # 1.12.1/keepalive
    llm("1.12.1/keepalive__workflows-run-streaming", "- - b528 a548", echo("hi")),

    # 1.12.1/nginx
    llm("1.12.1/nginx__workflows-run-streaming", "- - f207 4def", echo("hi")),

    # 1.12.1/workflows-run
    # The agent's node tells 0 prompt and 0 completion tokens of 18: that is no answer.
    R("1.12.1/workflows-run__agent-hello-streaming", "- - 25a2 4144", "The agent node says 42 你好 for: hello",
      nodes=3, logs=3, tokens=18, spent=(None, None, "0.00001"),
      outputs={"text": "The agent node says 42 你好 for: hello", "json": ANY, "files": []}),
    llm("1.12.1/workflows-run__big-input-20kB-streaming", "- - d616 edf5", echo("长" * 80)),
    # The largest event is 239 kB.
    R("1.12.1/workflows-run__big-text-streaming", "- - e60e 76ab", LOREM, nodes=4,
      outputs={"s": LOREM, "a": list(range(900))}),
    # A workflow_id in the body is not looked at.
    R("1.12.1/workflows-run__by-id-in-body", "- - 8fd1 9528", "version 2 says hi", nodes=3,
      outputs={"out": "version 2 says hi"}),
    R("1.12.1/workflows-run__by-id-none", "- - b16e 53bc", "version 2 says hi", nodes=3,
      outputs={"out": "version 2 says hi"}),
    R("1.12.1/workflows-run__by-id-v1-streaming", "- - 4dfb 8deb", "version 1 says hi", nodes=3,
      outputs={"out": "version 1 says hi"}),
    R("1.12.1/workflows-run__by-id-v2-streaming", "- - b1e4 fefa", "version 2 says hi", nodes=3,
      outputs={"out": "version 2 says hi"}),
    # What is streamed ("hi 0You said: B …") is in the order in which the ends became known.
    R("1.12.1/workflows-run__concurrent-0", "- - 9d86 8abc", "\n\n".join([echo("A hi 0"), echo("B hi 0"), "hi 0", "hi 0"]),
      nodes=7, tokens=54, spent=(33, 21, "0.0000750"),
      outputs={"a": echo("A hi 0"), "b": echo("B hi 0"), "same": "hi 0", "c_len": "hi 0"}),
    R("1.12.1/workflows-run__concurrent-2", "- - cb0d 763d", "\n\n".join([echo("A hi 2"), echo("B hi 2"), "hi 2", "hi 2"]),
      nodes=7, tokens=54, spent=(33, 21, "0.0000750"),
      outputs={"a": echo("A hi 2"), "b": echo("B hi 2"), "same": "hi 2", "c_len": "hi 2"}),
    # The recorder closed the socket when nothing was told but that the start had begun.
    R("1.12.1/workflows-run__disconnect-slow-at-2s", "- - 2bb1 7781", "", status="incomplete", end="disconnected",
      complete=False, nodes=1, node_status={"Start": "unknown"}, tokens=None),
    form("1.12.1/workflows-run__err-file-null", "- - a199 51fd"),
    form("1.12.1/workflows-run__err-int-user", "- - de8b 04a4"),
    form("1.12.1/workflows-run__err-number-empty", "- - 885f b6a8"),
    form("1.12.1/workflows-run__err-number-float", "- - 57ed 34de", age=3.5),
    # 10^30 is 1e+30 in this stream.
    form("1.12.1/workflows-run__err-number-huge", "- - ca61 ca31", age=1e30),
    # Of three texts one is empty, and one begins with a blank that is its own.
    form("1.12.1/workflows-run__err-required-empty", "- - 2012 dc5e", city=""),
    form("1.12.1/workflows-run__err-with-query", "- - d751 8830"),
    form("1.12.1/workflows-run__err-with-trace-id", "- - 8070 4bed"),
    # An end that was reached had streamed its text; a run that fails has no outputs, and the text stays.
    fails("1.12.1/workflows-run__fail-after-streaming", "- - f966 c3a4", "[Errno 111] Connection refused",
      answer="You said: after (messages=2) 你好 🎉 naïve.\n", nodes=4, node_status={"HTTP Request": "failed"},
      tokens=18, spent=(11, 7, "0.0000250")),
    fails("1.12.1/workflows-run__fail-code-streaming", "- - a250 d708", "ValueError: boom 你好", nodes=3,
      node_status={"Code": "failed"}),
    # A default stood in for the node that failed.
    R("1.12.1/workflows-run__fail-default-streaming", "- - 00de 4b82", "DEFAULT BODY", status="partial_succeeded",
      nodes=4, node_status={"HTTP Request": "exception"}, outputs={"body": "DEFAULT BODY", "code": 0, "files": None}),
    # An end without outputs.
    R("1.12.1/workflows-run__fail-empty-streaming", "- - 9b1b da69", "", nodes=3, outputs={}),
    fails("1.12.1/workflows-run__fail-exact-streaming", "- - f22a 5ffc", "Output n is not a number, got <class 'str'> instead.",
      nodes=3, node_status={"Code": "failed"}),
    R("1.12.1/workflows-run__fail-llmdef-streaming", "- - 5ef5 1a98", "DEFAULT TEXT", status="partial_succeeded",
      nodes=4, node_status={"LLM default": "exception"}, outputs={"text": "DEFAULT TEXT"}),
    # A branch without an end.
    R("1.12.1/workflows-run__fail-noroute-streaming", "- - 047d aebe", "", nodes=3, outputs={}),
    fails("1.12.1/workflows-run__fail-retry-streaming", "- - 8ce4 ca73", "[Errno 111] Connection refused", nodes=3,
      node_status={"HTTP Request": "failed"}, retries=3),
    fails("1.12.1/workflows-run__fail-timeout-streaming", "- - 49a4 9a11", "timed out", nodes=3,
      node_status={"HTTP Request": "failed"}),
    fails("1.12.1/workflows-run__file-extract-png-fails-streaming", "- - 9876 ab71", "Unsupported Extension Type: .png",
      nodes=2, node_status={"Doc extractor": "failed"}),
    form("1.12.1/workflows-run__file-list-two-streaming", "- - 2a35 befc", docs=[RED_DOT, REMOTE], files=2),
    # A file among the outputs is a file; it is one of the turn's as well.
    form("1.12.1/workflows-run__file-local-streaming", "- - 30f4 430a", doc=RED_DOT, files=1),
    form("1.12.1/workflows-run__form-all-streaming", "- - 795d 3014", city="北京 🎉", age=33, bio="b\nc \"q\" <x>", tone="casual"),
    form("1.12.1/workflows-run__form-min-streaming", "- - d6a2 383d"),
    # No text among the outputs: they are told as JSON, whatever was streamed. The round that failed is the second.
    R("1.12.1/workflows-run__iterfail-continue-streaming", "- - db59 209c", '["/OK1",null,"/OK2"]', nodes=8,
      rounds={"Iter a": 3}, node_status={"Inner": "failed"}, outputs={"out": ["/OK1", None, "/OK2"]}),
    fails("1.12.1/workflows-run__iterfail-terminate-streaming", "- - 68bf 0f65", "ValueError: item failed /status/500",
      nodes=6, rounds={"Iter c": 2}, node_status={"Inner": "failed", "Iter c": "failed"}),
    # The text is empty: what the model spent is no answer.
    llm("1.12.1/workflows-run__llm-empty-streaming", "- - af0f 7f8f", ""),
    llm("1.12.1/workflows-run__llm-hello-streaming", "- - c8d1 96a3", echo('Hello 你好 "quote" <b>')),
    fails("1.12.1/workflows-run__llm-http500-streaming", "- - 91c1 296a", "[stub] error 500", nodes=2,
      node_status={"LLM": "failed"}),
    llm("1.12.1/workflows-run__llm-markdown-streaming", "- - 6f4b 4bc9", MARKDOWN),
    fails("1.12.1/workflows-run__llm-midfail-streaming", "- - 9552 926d", "[stub] broke mid stream",
      answer="this answer will break before", nodes=2, node_status={"LLM": "failed"}),
    fails("1.12.1/workflows-run__llm-ratelimit-streaming", "- - a41d 516b", "[stub] error 429", nodes=2,
      node_status={"LLM": "failed"}),
    llm("1.12.1/workflows-run__llm-slowstart12", "- - bfe8 04e1", echo("SLOWSTART12"),
      pings=1),
    llm("1.12.1/workflows-run__llm-think-streaming", "- - e68e 4129", "<think>\nI should greet.\n</think>\nHello after thinking.",
      answer="Hello after thinking.", reasoning="I should greet."),
    R("1.12.1/workflows-run__ok-streaming", "- - 3c3e 782a", "Hi Paris", nodes=3, outputs={"out": "Hi Paris"}),
    R("1.12.1/workflows-run__parallel-two-ends-streaming", "- - 1f1d 9a1c", "\n\n".join([echo("A hi"), echo("B hi"), "hi", "hi"]),
      nodes=7, tokens=54, spent=(33, 21, "0.0000750"),
      outputs={"a": echo("A hi"), "b": echo("B hi"), "same": "hi", "c_len": "hi"}),
    R("1.12.1/workflows-run__ping-silent-12s", "- - 04c6 6aa9", "sleep", nodes=4, pings=1, outputs={"r": "sleep"}),
    # The wire says that it was stopped: nobody has to have asked for it here.
    stops("1.12.1/workflows-run__stop-code-sleep", "- - 8305 b9ee", nodes=3, node_status={"Sleep 12": "stopped"}),
    stops("1.12.1/workflows-run__stop-iteration-again-0", "- - ef3e 1b40", nodes=5, rounds={"Iteration": 1},
      node_status={"Iteration": "stopped"}, spent=(11, 7, "0.0000250")),
    stops("1.12.1/workflows-run__stop-iteration-again-1", "- - b4fc f477", nodes=5, rounds={"Iteration": 1},
      node_status={"Iteration": "stopped"}, spent=(11, 7, "0.0000250")),
    stops("1.12.1/workflows-run__stop-iteration-again-2", "- - 8e30 76cb", nodes=7, rounds={"Iteration": 2},
      node_status={"LLM in iteration": "stopped", "Iteration": "stopped"}, spent=(11, 7, "0.0000250")),
    # Failed by name ("Aborted: User requested stop"): it was stopped.
    stops("1.12.1/workflows-run__stop-iteration", "- - da81 4c3a", nodes=6, rounds={"Iteration": 2},
      node_status={"Iter template": "stopped", "Iteration": "stopped"}, spent=(11, 7, "0.0000250")),
    # Another user can.
    stops("1.12.1/workflows-run__stop-llm-wrong-user", "- - 05f9 0035", answer=words(39), nodes=2,
      node_status={"LLM": "stopped"}),
    # So can another app.
    stops("1.12.1/workflows-run__stop-other-app-key", "- - 4f48 af1b", answer=words(40), nodes=2,
      node_status={"LLM": "stopped"}),
    R("1.12.1/workflows-run__sysfiles-wf-file", "- - 3d84 1352", "hello text 你好 🎉\nline2", nodes=3, files=2,
      outputs={"text": "hello text 你好 🎉\nline2", "doc": NOTE, "docs": None, "sysfiles": [RED_DOT]}),
    # Files that the app has no use for are none of its outputs.
    form("1.12.1/workflows-run__sysfiles", "- - 95f1 d7df"),
    # Speech comes between the pieces of text and after the end.
    llm("1.12.1/workflows-run__tts-streaming", "- - 0916 236d", echo("say hi. And one more sentence. Bye."),
      audio_chunks=15),

    # 1.16.1/workflows-run
    R("1.16.1/workflows-run-by-id__workflow-by-id", "- - 1921 2cf2", "word0 word1\n\n<word0 word1>", nodes=4, pings=1,
      tokens=10, spent=(8, 2, "0.0000120"), outputs={"text": "word0 word1", "wrapped": "<word0 word1>"}),
    fails("1.16.1/workflows-run__failworkflow-streaming", "- - 6c32 f66a", "ValueError: boom", nodes=2,
      node_status={"Boom": "failed"}, pings=1),
    # A person is asked: the run has no outputs yet, and no end.
    R("1.16.1/workflows-run__humanworkflow-pause", "- - ca08 924c", "", status="paused", end="paused", nodes=2,
      node_status={"Ask": "paused"}, forms=("waiting",), pings=1, tokens=None),
    R("1.16.1/workflows-run__humanworkflow-streaming", "- - 5478 9a06", "", status="paused", end="paused", nodes=2,
      node_status={"Ask": "paused"}, forms=("waiting",), pings=1, tokens=None),
]
