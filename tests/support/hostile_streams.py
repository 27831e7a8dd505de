"""Streams that a hostile or broken server could send: each of one kind of event, as long as wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dify_notebook.turn.reasoning import _DETAILS
from dify_notebook.wire import events as ev

Stream = list[ev.Event]


def message(text: str) -> ev.Message:
    return ev.Message(task_id="t", message_id="m", conversation_id="c", answer=text)


def end(**more: Any) -> ev.MessageEnd:
    return ev.MessageEnd(metadata={}, **more)


def started(run: object, node: str = "n", **more: Any) -> ev.NodeStarted:
    return ev.NodeStarted(task_id="t", data={"id": f"r{run}", "node_id": node, **more})


def finished(run: object, node: str = "n", **more: Any) -> ev.NodeFinished:
    return ev.NodeFinished(task_id="t", data={"id": f"r{run}", "node_id": node, "status": "succeeded", **more})


def retry(run: object, **more: Any) -> ev.NodeRetry:
    return ev.NodeRetry(data={"id": f"r{run}", "node_id": "n", "error": "no", **more})


def run_started() -> ev.WorkflowStarted:
    """Of a workflow app: no conversation is told."""
    return ev.WorkflowStarted(task_id="t", workflow_run_id="w", data={"id": "w"})


def run_finished(outputs: object = None, **more: Any) -> ev.WorkflowFinished:
    data = {"id": "w", "status": "succeeded", "outputs": outputs, **more}
    return ev.WorkflowFinished(task_id="t", workflow_run_id="w", data=data)


def running(n: int) -> Stream:
    return [started(i, f"n{i}") for i in range(n)]


def warned(n: int) -> Stream:
    return [ev.Unknown(name="new", raw=b'{"event": "new"}') for _ in range(n)]


def loop(n: int) -> Stream:
    return [ev.LoopStarted(data={"node_id": "n"}), *(ev.LoopNext(data={"node_id": "n", "index": i}) for i in range(n))]


STREAMS: dict[str, Callable[[int], Stream]] = {
    # nodes
    "nodes that end and never started": lambda n: [finished(i, f"n{i}") for i in range(n)],
    "ends of one node under new ids": lambda n: [finished(i) for i in range(n)],
    "ends without any id": lambda n: [ev.NodeFinished(data={}) for _ in range(n)],
    "nodes that start": running,
    "one node that starts again and again": lambda n: [started(0) for _ in range(n)],
    "runs of one node that end as others": lambda n: [
        *(started(i) for i in range(n)),
        *(finished(f"x{i}") for i in range(n)),
    ],
    "runs of one node that are tried again as others": lambda n: [
        *(started(i) for i in range(n)),
        *(retry(f"x{i}", retry_index=1) for i in range(n)),
    ],
    "one run that is tried again and again": lambda n: [started(0), *(retry(0, retry_index=i) for i in range(n))],
    "one run under a new id each time": lambda n: [started(0), *(retry(i, retry_index=i) for i in range(n))],
    "nodes within nodes": lambda n: [started(i, f"n{i}", loop_id=f"n{i - 1}") for i in range(n)],
    # iterations and loops
    "one loop that starts again and again": lambda n: [ev.LoopStarted(data={"node_id": "n"}) for _ in range(n)],
    "one iteration with a number in its name": lambda n: [
        ev.IterationStarted(data={"node_id": "n#2"}) for _ in range(n)
    ],
    "loops within loops": lambda n: [
        ev.LoopStarted(data={"node_id": f"n{i}", "loop_id": f"n{i - 1}"}) for i in range(n)
    ],
    "rounds of a loop": loop,
    "rounds of an iteration without a number": lambda n: [
        ev.IterationStarted(data={"node_id": "n"}),
        *(ev.IterationNext(data={"node_id": "n"}) for _ in range(n)),
    ],
    "rounds of what never started": lambda n: [ev.LoopNext(data={"node_id": "n", "index": i}) for i in range(n)],
    "ends of what never started": lambda n: [ev.LoopCompleted(data={"node_id": "n"}) for i in range(n)],
    "many rounds and many ends": lambda n: [
        *loop(n),
        *(ev.LoopCompleted(data={"node_id": "n"}) for _ in range(n)),
        *(ev.IterationCompleted(data={"node_id": "n"}) for _ in range(n)),
    ],
    "rounds with a node in each": lambda n: [
        one for i in range(n) for one in (*loop(1)[i > 0 :], started(i, "inner", loop_id="n"))
    ],
    "one loop in one loop, again and again": lambda n: [
        ev.LoopStarted(data={"node_id": "outer"}),
        *(ev.LoopStarted(data={"node_id": "n", "loop_id": "outer"}) for _ in range(n // 6)),
        *(finished(i, "inner", execution_metadata={"loop_id": "n", "loop_index": 0}) for i in range(n // 6)),
    ],
    "nodes without an id in loops side by side": lambda n: [
        *(ev.LoopStarted(data={"node_id": "n"}) for _ in range(n // 9)),
        *(ev.NodeStarted(data={"node_id": "inner", "loop_id": "n"}) for _ in range(n // 9)),
        *(ev.NodeFinished(data={"node_id": "inner", "loop_id": "n"}) for _ in range(n // 9)),
    ],
    "parallel rounds of an old server": lambda n: [
        ev.IterationStarted(data={"node_id": "n"}),
        *(
            one
            for i in range(n // 2)
            for one in (
                finished(i, "inner", iteration_id="n", execution_metadata={"parallel_mode_run_id": f"p{i}"}),
                ev.IterationNext(data={"node_id": "n", "index": i + 1, "parallel_mode_run_id": f"p{i}"}),
            )
        ),
    ],
    "branches": lambda n: [
        *(ev.ParallelBranchStarted(data={"parallel_id": i}) for i in range(n)),
        *(ev.ParallelBranchFinished(data={"parallel_id": i}) for i in range(n)),
    ],
    # ends
    "many ends while nodes run": lambda n: [*running(n), *(end() for _ in range(n))],
    "many pauses while nodes run": lambda n: [*running(n), *(ev.WorkflowPaused(data={}) for _ in range(n))],
    "many errors while nodes run": lambda n: [*running(n), *(ev.Error(message="no") for _ in range(n))],
    "many ends after many warnings": lambda n: [*warned(n), *(end() for _ in range(n))],
    "many workflows": lambda n: [
        one
        for i in range(n)
        for one in (ev.WorkflowStarted(data={"id": f"w{i}"}), ev.WorkflowFinished(data={"id": f"w{i}"}))
    ],
    # runs of workflow apps, completions
    "outputs of a run that are texts": lambda n: [
        run_started(),
        run_finished({f"o{i}": "<think>a</think>b" for i in range(n)}),
    ],
    "outputs of a run that are files": lambda n: [
        run_started(),
        run_finished({f"o{i}": [{"dify_model_identity": "__dify__file__", "id": f"f{i}"}] for i in range(n)}),
    ],
    "a run that ends again and again": lambda n: [
        run_started(),
        *running(n),
        *(ev.TextChunk(task_id="t", workflow_run_id="w", data={"text": "x"}) for _ in range(n)),
        *(run_finished({"a": "x", "n": i}, total_tokens=i, files=[{"url": f"/f{i}"}]) for i in range(n)),
    ],
    "speech after the outputs of a run": lambda n: [
        run_started(),
        run_finished({f"o{i}": "x" for i in range(n)}),
        *(ev.TtsMessage(task_id="t", audio="AAAA") for _ in range(n)),
    ],
    "models that tell what they spent": lambda n: [
        run_started(),
        *(
            finished(
                i,
                f"n{i}",
                outputs={"usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_price": f"1E-{i % 70}"}},
                execution_metadata={"total_tokens": 2, "total_price": f"{i}.{i}", "currency": f"C{i % 2}"},
            )
            for i in range(n)
        ),
        run_finished({}, total_tokens=n),
    ],
    "a completion": lambda n: [
        *(ev.Message(task_id="t", message_id="m", answer="x") for _ in range(n)),
        *(ev.MessageEnd(task_id="t", message_id="m", metadata={}) for _ in range(n)),
    ],
    # agents
    "log entries in a chain": lambda n: [ev.AgentLog(data={"id": f"l{i}", "parent_id": f"l{i - 1}"}) for i in range(n)],
    "log entries in a ring": lambda n: [
        ev.AgentLog(data={"id": f"l{i % 99}", "parent_id": f"l{(i + 1) % 99}"}) for i in range(n)
    ],
    "log entries without an id": lambda n: [ev.AgentLog(data={"label": "x"}) for _ in range(n)],
    "thoughts": lambda n: [ev.AgentThought(id=f"t{i}", thought="hm", tool="add") for i in range(n)],
    "one thought again and again": lambda n: [ev.AgentThought(id="t", thought="hm") for _ in range(n)],
    "thoughts without an id": lambda n: [ev.AgentThought(thought="hm") for _ in range(n)],
    "an agent whose every text could be the whole": lambda n: [
        ev.AgentMessage(answer="x" * n * 20),
        *(message("y") for _ in range(n)),
    ],
    "an agent that closes again and again": lambda n: [
        *(ev.AgentThought(id=f"t{i}", tool="add") for i in range(n)),
        *(one for i in range(n) for one in (ev.AgentMessage(answer="x"), message(f"y{i % 9}"))),
    ],
    "steps in which an agent speaks": lambda n: [
        *(one for i in range(n) for one in (ev.AgentThought(id=f"t{i}"), ev.AgentMessage(answer="x"))),
        message("x" * n),
    ],
    # files, forms, citations, speech
    "files": lambda n: [ev.MessageFile(id=f"f{i}", url="/f") for i in range(n)],
    "files without an id": lambda n: [ev.MessageFile(url="/f") for _ in range(n)],
    "files of the end": lambda n: [end(files=[{"id": f"f{i}"} for i in range(n)])],
    "forms": lambda n: [
        one
        for i in range(n)
        for one in (
            ev.HumanInputRequired(data={"form_id": f"f{i}"}),
            ev.HumanInputFormFilled(data={"form_id": f"f{i}"}),
            ev.HumanInputFormTimeout(data={"form_id": f"f{i}"}),
        )
    ],
    "citations": lambda n: [ev.MessageEnd(metadata={"retriever_resources": [{"position": i} for i in range(n)]})],
    "speech": lambda n: [ev.TtsMessage(audio="AAAA") for _ in range(n)],
    "speech that ends again and again": lambda n: [
        one for _ in range(n) for one in (ev.TtsMessage(audio="AAAA"), ev.TtsMessageEnd(audio=""))
    ],
    # text
    "chunks of text": lambda n: [ev.TextChunk(data={"text": "x"}) for _ in range(n)],
    "chunks of reasoning": lambda n: [ev.ReasoningChunk(data={"reasoning": "x"}) for _ in range(n)],
    "reasoning that begins and ends": lambda n: [message("<think>a</think>b") for _ in range(n)],
    "the same in one piece": lambda n: [message("<think>a</think>b" * 4 * n)],
    "the same as Dify 0.15 writes it": lambda n: [message(f"{_DETAILS}a</details>b" * n)],
    "reasoning that begins again and again": lambda n: [message("<think>") for _ in range(n)],
    "beginnings of a tag": lambda n: [message("<details style") for _ in range(n)],
    "signs that could begin a tag": lambda n: [message("<" * 20 * n)],
    "tags in a fence": lambda n: [message("```\n" + "<think>\n" * 2 * n)],
    "tags in one line of code": lambda n: [message("`" + "<think>" * 2 * n)],
    "replacements": lambda n: [ev.MessageReplace(answer="x" * 100) for _ in range(n)],
    "replacements of a workflow's text": lambda n: [ev.TextReplace(data={"text": "x" * 100}) for _ in range(n)],
    "reasoning of many nodes": lambda n: [
        *(ev.ReasoningChunk(data={"reasoning": "x", "node_id": f"n{i}"}) for i in range(n)),
        ev.MessageEnd(metadata={"reasoning": {f"n{i}": "x y" for i in range(n)}}),
    ],
    "reasoning of a node that is told anew": lambda n: [
        *(ev.ReasoningChunk(data={"reasoning": "x", "node_id": "n"}) for _ in range(n)),
        ev.MessageEnd(metadata={"reasoning": {"n": "x" * 2 * n}}),
    ],
    "ends that tell the reasoning": lambda n: [
        *(ev.ReasoningChunk(data={"reasoning": "x" * 50, "node_id": "n"}) for _ in range(n)),
        *(ev.MessageEnd(metadata={"reasoning": {"m": f"y{i}"}}) for i in range(n)),
    ],
    "ends of the run and of the message": lambda n: [
        *running(n),
        *(one for _ in range(n) for one in (end(), ev.WorkflowFinished(data={"status": "stopped"}))),
    ],
    "replacements after warnings": lambda n: [
        *warned(n),
        *(ev.MessageReplace(answer="x") for _ in range(n)),
    ],
    # the rest
    "events that are unknown": warned,
    "warnings of the server": lambda n: [ev.ServerWarning(warning="x" * 100) for _ in range(n)],
    "texts that end in half a character": lambda n: [ev.Message(answer="x", unread=1, half=True) for _ in range(n)],
    "lines that are damaged": lambda n: [ev.Unknown(damaged=True, raw=b"{" * 3_000) for _ in range(n)],
    "pings": lambda n: [ev.Ping() for _ in range(n)],
}
"""What it is -> a stream of about so many such events."""
