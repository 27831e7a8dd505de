"""What a person expects of every recorded answer in one piece of a workflow or a completion app.

They all came under HTTP 200, those of runs that failed too. Such an answer tells no nodes, so nothing is known of what
they spent; the rest is what `expected_runs.py` and `expected_completions.py` expect of streams.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import ANY

from contract.expected_completions import HELLO
from contract.expected_completions import echo as completed
from contract.expected_runs import DETAILS, MARKDOWN, NOTE, RED_DOT, REMOTE, Run, echo, fails, form, llm
from contract.expected_turn import Expected, words

C = Expected
R = Run

TABLE: list[Expected] = [
    # 0.15.3/completion-messages
    C("0.15.3/completion-messages__comp-noform-blocking", "aef1 - 2da6 -", completed("Say something."), tokens=18),
    C("0.15.3/completion-messages__file-local-blocking", "7808 - 1005 -", completed(HELLO + " from Paris None None None\n [image_url]"),
      tokens=18),
    C("0.15.3/completion-messages__mod-input-blocking", "6e87 - 6c5a -", "INPUT BLOCKED 你好", tokens=0),
    C("0.15.3/completion-messages__mod-output-blocking", "59ff - ddad -", "OUTPUT BLOCKED 你好", tokens=18),
    C("0.15.3/completion-messages__no-response-mode", "27b5 - f6f2 -", completed(HELLO), tokens=18),
    C("0.15.3/completion-messages__seed-for-feedback", "2f23 - 483f -", completed("rate me"), tokens=18),

    # 0.15.3/workflows-run
    llm("0.15.3/workflows-run__big-input-20kB-blocking", "- - 332a 44dd", echo("长" * 80)),
    R("0.15.3/workflows-run__concurrent-3", "- - 449b e0cc", "hi 3", tokens=54, outputs={"c_len": "hi 3"}),
    fails("0.15.3/workflows-run__fail-code-blocking", "- - 2b7a 2f93", "ValueError: boom 你好"),
    R("0.15.3/workflows-run__fail-default-blocking", "- - d53c 64b8", "DEFAULT BODY", status="partial_succeeded",
      outputs={"body": "DEFAULT BODY", "code": 0, "files": None}),
    R("0.15.3/workflows-run__fail-empty-blocking", "- - d72a 4685", ""),
    fails("0.15.3/workflows-run__fail-exact-blocking", "- - 07e2 30c7", "Output variable `n` must be a number"),
    R("0.15.3/workflows-run__fail-llmdef-blocking", "- - 3ce6 7751", "DEFAULT TEXT", status="partial_succeeded", outputs={"text": "DEFAULT TEXT"}),
    fails("0.15.3/workflows-run__fail-plain-blocking", "- - 35cd 8fdd", "[Errno 111] Connection refused"),
    fails("0.15.3/workflows-run__fail-retry-blocking", "- - d452 3c0b", "[Errno 111] Connection refused"),
    fails("0.15.3/workflows-run__fail-status-blocking", "- - f077 da90", "Reached maximum retries (0) for URL http://127.0.0.1:9100/status/503"),
    R("0.15.3/workflows-run__file-extract-txt-blocking", "- - 5e4b 3d70", "hello text 你好 🎉\nline2",
      outputs={"text": "hello text 你好 🎉\nline2", "doc": NOTE, "docs": None, "sysfiles": []}, files=1),
    form("0.15.3/workflows-run__file-list-two-blocking", "- - 0a23 6f7b", docs=[RED_DOT, REMOTE], files=2),
    form("0.15.3/workflows-run__file-local-blocking", "- - f2c5 871b", doc=RED_DOT, files=1),
    form("0.15.3/workflows-run__form-all-blocking", "- - fb84 8fc4", city="北京 🎉", age=33, bio='b\nc "q" <x>', tone="casual"),
    form("0.15.3/workflows-run__form-min-blocking", "- - 2fc8 e6e3"),
    form("0.15.3/workflows-run__form-no-response-mode", "- - 7cdb 888b"),
    R("0.15.3/workflows-run__http-slow-node-blocking", "- - 5716 e193", '{"path": "/slow", "ok": true}',
      outputs={"body": '{"path": "/slow", "ok": true}'}),
    R("0.15.3/workflows-run__iterfail-continue-blocking", "- - b237 fc69", '["/OK1",null,"/OK2"]', outputs={"out": ["/OK1", None, "/OK2"]}),
    fails("0.15.3/workflows-run__iterfail-terminate-blocking", "- - 143b 1436", "ValueError: item failed /status/500"),
    llm("0.15.3/workflows-run__llm-hello-blocking", "- - 980e 0aa4", echo('Hello 你好 "quote" <b>')),
    fails("0.15.3/workflows-run__llm-http401-blocking", "- - e47e b8b4", "[openai_api_compatible] Error: API request failed with status code 401"),
    fails("0.15.3/workflows-run__llm-http500-blocking", "- - 0709 a3f1", "[openai_api_compatible] Error: API request failed with status code 500"),
    llm("0.15.3/workflows-run__llm-markdown-blocking", "- - d40e 466d", MARKDOWN),
    fails("0.15.3/workflows-run__llm-midfail-blocking", "- - 9432 d76e", "[openai_api_compatible] Error: Response ended prematurely"),
    fails("0.15.3/workflows-run__llm-ratelimit-blocking", "- - cd13 8fa8", "[openai_api_compatible] Error: API request failed with status code 429"),
    llm("0.15.3/workflows-run__llm-think-blocking", "- - ef3e 7b08", DETAILS + "\nI should greet.\n</details>\nHello after thinking.",
      answer="Hello after thinking.", reasoning="I should greet."),
    llm("0.15.3/workflows-run__mod-output-blocking", "- - 98f0 9581", echo("hello")),
    R("0.15.3/workflows-run__ok-blocking", "- - d7da 6555", "Hi Paris", outputs={"out": "Hi Paris"}),
    R("0.15.3/workflows-run__parallel-two-ends-blocking", "- - 670a 8093", "\n\n".join([echo("B hi"), "hi"]), tokens=54,
      outputs={"b": echo("B hi"), "same": "hi"}),
    R("0.15.3/workflows-run__rich-blocking", "- - 9196 3215", "\n\n".join(['{"path": "/hello?q=1", "ok": true}', "P2 hi", echo("A hi"), "2026", "P2 hi"]),
      tokens=72,
      outputs={"iter": [completed("<a:0>"), completed("<b:1>"), completed("<c:2>")], "http": '{"path": "/hello?q=1", "ok": true}', "p2": "P2 hi", "llm": echo("A hi"), "tool": "2026", "agg": "P2 hi"}),
    R("0.15.3/workflows-run__two-llms-blocking", "- - 720e 3735", "\n\n".join([echo("ONE hi"), f"-- {echo('ONE hi')} --", echo("TWO hi")]),
      tokens=36, outputs={"first": echo("ONE hi"), "mid": f"-- {echo('ONE hi')} --", "second": echo("TWO hi")}),

    # 1.12.1/completion-messages
    C("1.12.1/completion-messages__comp-noform-blocking", "176d - 3405 -", completed("Say something."), tokens=18),
    C("1.12.1/completion-messages__file-local-blocking", "468b - 801c -", completed("[image] " + HELLO + " from Paris None None None"),
      tokens=18),
    C("1.12.1/completion-messages__mod-input-blocking", "e6ff - 36a9 -", "INPUT BLOCKED 你好", tokens=0),
    C("1.12.1/completion-messages__mod-output-blocking", "5880 - da0c -", "OUTPUT BLOCKED 你好", tokens=18),
    C("1.12.1/completion-messages__no-response-mode", "5eab - 7ac5 -", completed(HELLO), tokens=18),
    C("1.12.1/completion-messages__seed-for-feedback", "04a1 - cf67 -", completed("rate me"), tokens=18),

    # 1.12.1/workflows-run
    fails("1.12.1/workflows-run__agent-agentfail-blocking", "- - 4f0d 8777", "[stub] agent strategy failed"),
    R("1.12.1/workflows-run__agent-hello-blocking", "- - 8d02 75e8", "The agent node says 42 你好 for: hello", tokens=18,
      outputs={"text": "The agent node says 42 你好 for: hello", "json": ANY, "files": []}),
    R("1.12.1/workflows-run__agent-toolerr-blocking", "- - 48f5 0e83", "The agent node says 42 你好 for: TOOLERR", tokens=18,
      outputs={"text": "The agent node says 42 你好 for: TOOLERR", "json": ANY, "files": []}),
    llm("1.12.1/workflows-run__big-input-20kB-blocking", "- - fa4d a4ee", echo("长" * 80)),
    R("1.12.1/workflows-run__concurrent-3", "- - 68ca a5d6", "\n\n".join([echo("A hi 3"), echo("B hi 3"), "hi 3", "hi 3"]), tokens=54,
      outputs={"a": echo("A hi 3"), "b": echo("B hi 3"), "same": "hi 3", "c_len": "hi 3"}),
    fails("1.12.1/workflows-run__fail-code-blocking", "- - 2dc3 e9dc", "ValueError: boom 你好"),
    R("1.12.1/workflows-run__fail-default-blocking", "- - 574a 50e9", "DEFAULT BODY", status="partial_succeeded",
      outputs={"body": "DEFAULT BODY", "code": 0, "files": None}),
    R("1.12.1/workflows-run__fail-empty-blocking", "- - 2ccd c822", "", outputs={}),
    fails("1.12.1/workflows-run__fail-exact-blocking", "- - 665f d3b0", "Output n is not a number, got <class 'str'> instead."),
    R("1.12.1/workflows-run__fail-llmdef-blocking", "- - 32d0 7942", "DEFAULT TEXT", status="partial_succeeded", outputs={"text": "DEFAULT TEXT"}),
    fails("1.12.1/workflows-run__fail-plain-blocking", "- - 2a00 9184", "[Errno 111] Connection refused"),
    fails("1.12.1/workflows-run__fail-retry-blocking", "- - afe3 987f", "[Errno 111] Connection refused"),
    fails("1.12.1/workflows-run__fail-status-blocking", "- - b7f3 aea0", "Reached maximum retries (0) for URL http://127.0.0.1:9100/status/503"),
    R("1.12.1/workflows-run__file-extract-txt-blocking", "- - e8ae c024", "hello text 你好 🎉\nline2",
      outputs={"text": "hello text 你好 🎉\nline2", "doc": NOTE, "docs": None, "sysfiles": []}, files=1),
    form("1.12.1/workflows-run__file-list-two-blocking", "- - 792e b4b1", docs=[RED_DOT, REMOTE], files=2),
    form("1.12.1/workflows-run__file-local-blocking", "- - d0d3 1794", doc=RED_DOT, files=1),
    form("1.12.1/workflows-run__form-all-blocking", "- - fb01 f056", city="北京 🎉", age=33, bio='b\nc "q" <x>', tone="casual"),
    form("1.12.1/workflows-run__form-min-blocking", "- - d45d 41b9"),
    form("1.12.1/workflows-run__form-no-response-mode", "- - 38f4 c067"),
    form("1.12.1/workflows-run__form-null-response-mode", "- - 586c 7b22"),
    R("1.12.1/workflows-run__http-slow-node-blocking", "- - b516 3aff", '{"path": "/slow", "ok": true}',
      outputs={"body": '{"path": "/slow", "ok": true}'}),
    R("1.12.1/workflows-run__iterfail-continue-blocking", "- - f433 b297", '["/OK1",null,"/OK2"]', outputs={"out": ["/OK1", None, "/OK2"]}),
    fails("1.12.1/workflows-run__iterfail-terminate-blocking", "- - 6f72 5179", "ValueError: item failed /status/500"),
    llm("1.12.1/workflows-run__llm-hello-blocking", "- - e54a a372", echo('Hello 你好 "quote" <b>')),
    fails("1.12.1/workflows-run__llm-http401-blocking", "- - d7b0 a3ec", "[openai_api_compatible] Incorrect model credentials provided, please check and try again."),
    fails("1.12.1/workflows-run__llm-http500-blocking", "- - b951 8110", "[stub] error 500"),
    llm("1.12.1/workflows-run__llm-markdown-blocking", "- - d106 d2de", MARKDOWN),
    fails("1.12.1/workflows-run__llm-midfail-blocking", "- - e1a1 7da4", "[stub] broke mid stream"),
    fails("1.12.1/workflows-run__llm-ratelimit-blocking", "- - f7e7 e57d", "[stub] error 429"),
    llm("1.12.1/workflows-run__llm-think-blocking", "- - d52c 2af1", "<think>\nI should greet.\n</think>\nHello after thinking.",
      answer="Hello after thinking.", reasoning="I should greet."),
    llm("1.12.1/workflows-run__mod-output-blocking", "- - ac5a 9d37", echo("hello")),
    R("1.12.1/workflows-run__parallel-two-ends-blocking", "- - eb12 8d30", "\n\n".join([echo("A hi"), echo("B hi"), "hi", "hi"]), tokens=54,
      outputs={"a": echo("A hi"), "b": echo("B hi"), "same": "hi", "c_len": "hi"}),
    R("1.12.1/workflows-run__rich-blocking", "- - 31dd 8b92", "\n\n".join(['{"path": "/hello?q=1", "ok": true}', "P2 hi", echo("A hi"), "2026", "P2 hi"]),
      tokens=72,
      outputs={"iter": [completed("<a:0>"), completed("<b:1>"), completed("<c:2>")], "http": '{"path": "/hello?q=1", "ok": true}', "p2": "P2 hi", "llm": echo("A hi"), "tool": "2026", "loop": 2, "agg": "P2 hi"}),
    R("1.12.1/workflows-run__two-llms-blocking", "- - 1f45 ff8e", "\n\n".join([echo("ONE hi"), f"-- {echo('ONE hi')} --", echo("TWO hi")]),
      tokens=36, outputs={"first": echo("ONE hi"), "mid": f"-- {echo('ONE hi')} --", "second": echo("TWO hi")}),

    # 1.16.1/workflows-run
    fails("1.16.1/workflows-run__failworkflow-blocking", "- - f429 3ccb", "ValueError: boom"),
    R("1.16.1/workflows-run__workflow-blocking", "- - 9a44 7489", words(5) + f"\n\n<{words(5)}>",
      tokens=13, outputs={"text": words(5), "wrapped": f"<{words(5)}>"}),
]

EXPECTED_BLOCKING: dict[str, Expected] = {
    row.case: replace(row, nodes=0, spent=(None, None, None)) if isinstance(row, Run) else row for row in TABLE
}
