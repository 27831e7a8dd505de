"""Turns as servers give them: a chat, an agent with tools, a chatflow and a workflow with an iteration, a completion."""



from __future__ import annotations

import struct
import zlib
from decimal import Decimal
from typing import Any

import msgspec

from dify_notebook.turn.state import (
    AgentLog,
    Citation,
    Form,
    MessageFile,
    Node,
    Retry,
    Round,
    Thought,
    Timing,
    Turn,
    TurnError,
    Usage,
    Warning_,
    Workflow,
)


def _png(wide: int, high: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(120 + (x * y) % 90 for x in range(wide)) for y in range(high))
    head = struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


PNG = _png(120, 40)

ANSWER = """\
Tides are the **regular rise and fall** of the sea, caused by the Moon and, to a lesser degree, the Sun.[1]

## Why twice a day

1. The Moon pulls the near side of the ocean *more* than the Earth's centre.
2. It pulls the far side *less*, which leaves a second bulge:
   - high water about every 12 h 25 min
   - low water in between

| Tide   | When                 | Range |
|:-------|:---------------------|------:|
| Spring | new and full moon    | 6.2 m |
| Neap   | first, third quarter | 2.1 m |

The tide-raising acceleration falls with the cube of the distance, $a = 2GMr/d^3$:

$$
a \\approx 1.1 \\times 10^{-6}\\ \\mathrm{m\\,s^{-2}}
$$

```python
def tide(moon_mass: float, radius: float, distance: float) -> float:
    # differential acceleration, in m/s²
    G = 6.674e-11
    return 2 * G * moon_mass * radius / distance**3

print(f"{tide(7.35e22, 6.37e6, 3.84e8):.2e}")
```

> A tide table for a harbour costs about $5 to $10.

- [x] read the [tide tables](https://example.org/tides)
- [ ] 出发前检查潮汐表。
"""


def chat() -> Turn:
    """A chat that cites passages and reasoned before."""
    return Turn(
        query="Why are there tides?",
        answer=ANSWER,
        answer_raw=ANSWER,
        reasoning="The user asks about tides.\nI should explain the two bulges and cite the source.",
        status="succeeded",
        end="message_end",
        complete=True,
        citations=(
            Citation(
                position=1,
                dataset_name="Oceanography",
                document_name="tides.md",
                score=0.8731,
                content="The tide-raising force of the Moon is the difference between its pull on the ocean and on "
                "the centre of the Earth. It makes two bulges.",
            ),
            Citation(
                position=2,
                dataset_name="Oceanography",
                document_name="harbours.pdf",
                score=0.61,
                content="Range…",
            ),
        ),
        usage=Usage(
            prompt_tokens=1033,
            completion_tokens=322,
            total_tokens=1355,
            total_price=Decimal("0.0021430"),
            currency="USD",
            latency=4.1,
        ),
        timing=Timing(opened=0.41, first_event=0.41, first_token=0.83, total=4.236),
        suggested=("How do spring tides differ from neap tides?", "Where is the largest tidal range?"),
        message_id="5ad4cb98-f0c7-4085-b384-88c403be6290",
        conversation_id="45701982-8118-4bc5-8e9b-64562b4555f2",
        task_id="900bbd43-dc0b-4383-a372-aa6e6c414227",
        server="https://api.example.org/v1",
        app="Sea guide",
        app_mode="chat",
        turn_number=4,
        conversation_name="Planning a sailing trip",
    )


def agent() -> Turn:
    """An agent that called two tools; a picture came with the answer."""
    return Turn(
        query="What is the mean wave height, and what time is it in Tokyo?",
        answer="The mean wave height is **1.42 m**. In Tokyo it is 21:04.",
        answer_raw="The mean wave height is **1.42 m**. In Tokyo it is 21:04.",
        status="succeeded",
        end="message_end",
        complete=True,
        thoughts=(
            Thought(
                id="t1",
                position=1,
                thought="I need the statistics of the file.",
                tool="csv_summary",
                tool_input='{"csv_summary": {"file": "waves.csv", "column": "height_m", "round": 2}}',
                observation='{"csv_summary": "{\\"count\\": 1204, \\"mean\\": 1.42, \\"max\\": 6.1}"}',
                tool_labels={"csv_summary": {"en_US": "Summary of a table", "zh_Hans": "表格摘要"}},
            ),
            Thought(
                id="t2",
                position=2,
                tool="current_time",
                tool_input='{"current_time": {"timezone": "Asia/Tokyo"}}',
                observation='{"current_time": "2026-11-21 21:04:11"}',
            ),
            Thought(id="t3", position=3, thought="The mean wave height is **1.42 m**. In Tokyo it is 21:04."),
        ),
        files=(
            MessageFile(
                id="f1",
                type="image",
                belongs_to="assistant",
                name="waves.png",
                mime_type="image/png",
                data=PNG,
            ),
            MessageFile(
                id="f2",
                type="document",
                belongs_to="user",
                name="waves.csv",
                mime_type="text/csv",
                size=48_213,
            ),
        ),
        usage=Usage(
            prompt_tokens=820,
            completion_tokens=64,
            total_tokens=884,
            total_price=Decimal("0"),
            currency="USD",
        ),
        timing=Timing(opened=0.2, first_event=0.2, first_token=1.9, total=2.61),
        conversation_id="0c1d2e3f-8118-4bc5-8e9b-64562b4555f2",
        server="http://127.0.0.1:8123/v1",
        app="Toolbox",
        app_mode="agent-chat",
        turn_number=1,
    )


def _node(at: int, title: str, node_type: str, start: float, end: float | None, **more: Any) -> Node:
    fields: dict[str, Any] = {
        "id": f"run{at}",
        "node_id": f"n{at}",
        "node_type": node_type,
        "title": title,
        "status": "running" if end is None else "succeeded",
        "started_at": start,
        "finished_at": end,
        "elapsed": None if end is None else round(end - start, 3),
    }
    return Node(**(fields | more))


def chatflow(now: float | None = None) -> Turn:
    """A chatflow with an iteration over three items, a retry and a branch that failed.

    Args:
        now: seconds since the question was sent, for a turn that still runs then.
    """
    nodes = [
        _node(0, "Start", "start", 0.35, 0.36, inputs={"sys.query": "Compare three harbours", "items": 3}),
        _node(1, "What is it about?", "question-classifier", 0.36, 1.24, total_tokens=212, outputs={"class": "compare"}),
        _node(2, "Harbour handbook", "knowledge-retrieval", 1.25, 1.81, outputs={"result": ["tides.md", "harbours.pdf"]}),
        _node(
            3, "Each harbour", "iteration", 1.82, 5.4, kind="iteration", length=3, total_tokens=1630,
            rounds=(Round(index=0, elapsed=1.1), Round(index=1, elapsed=1.3), Round(index=2, elapsed=1.2)),
        ),
        _node(4, "Describe", "llm", 1.84, 2.9, parent="run3", round=0, total_tokens=540),
        _node(5, "Describe", "llm", 2.92, 4.2, parent="run3", round=1, total_tokens=560,
              retries=(Retry(index=1, error="Rate limit reached", elapsed=0.4),)),
        _node(6, "Describe", "llm", 4.21, 5.38, parent="run3", round=2, total_tokens=530),
        _node(7, "Harbour weather", "http-request", 5.41, 5.93, status="exception", error="Connection timed out after 500 ms"),
        _node(8, "Put together", "template-transform", 5.94, 5.97),
        _node(9, "Answer", "answer", 5.98, 6.02),
    ]  # fmt: skip
    if now is not None:
        shown = []
        for node in nodes:
            if node.started_at is None or node.started_at > now:
                continue
            if node.finished_at is not None and node.finished_at > now:
                node = _node(int(node.id[3:]), node.title, node.node_type, node.started_at, None, kind=node.kind,
                             parent=node.parent, round=node.round, length=node.length)  # fmt: skip
            shown.append(node)
        return Turn(query="Compare three harbours", status="running", nodes=tuple(shown), server="https://api.example.org/v1",
                    app="Harbour pipeline", app_mode="advanced-chat", turn_number=2, conversation_name="Harbours",
                    conversation_id="aa701982-8118-4bc5-8e9b-64562b4555f2", task_id="b0b")  # fmt: skip
    answer = "Of the three harbours, **Saint-Malo** has the largest range (12 m).\n\n1. Saint-Malo\n2. Bristol\n3. Hamburg\n"
    return Turn(
        query="Compare three harbours",
        answer=answer,
        answer_raw=answer,
        status="partial_succeeded",
        end="message_end",
        complete=True,
        nodes=tuple(nodes),
        workflow=Workflow(id="w", status="partial-succeeded", elapsed=5.67, total_tokens=1842, total_steps=8),
        usage=Usage(
            prompt_tokens=1500,
            completion_tokens=342,
            total_tokens=1842,
            total_price=Decimal("0.01"),
            currency="CNY",
        ),
        timing=Timing(opened=0.34, first_event=0.34, first_token=5.99, total=6.1),
        server="https://api.example.org/v1",
        app="Harbour pipeline",
        app_mode="advanced-chat",
        turn_number=2,
        conversation_name="Harbours",
        conversation_id="aa701982-8118-4bc5-8e9b-64562b4555f2",
    )


def troubled() -> Turn:
    """Everything that can go wrong at once."""
    return Turn(
        query="?",
        answer="The first half of an answer, then a gap and the rest of it",
        answer_raw="The first half of an answer, then a gap and the rest of it",
        status="failed",
        end="error",
        error=TurnError(code="completion_request_error", message="Rate limit reached for model", status=400),
        warnings=(
            Warning_(code="damaged", message="no JSON", offset=33, raw='data: {"event": "mess'),
            Warning_(code="unknown_event", message="agent_dream", raw='{"event":"agent_dream"}'),
        ),
        logs=(
            AgentLog(id="l1", label="ROUND 1", status="start", started_at=0.1),
            AgentLog(
                id="l2",
                label="call tool",
                parent_id="l1",
                status="error",
                error="no such tool",
                data={"tool": "x"},
            ),
        ),
        forms=(Form(id="1", content="# Approve?", data={"actions": [{"id": "yes", "title": "Yes"}]}),),
        replaced=True,
        timing=Timing(total=1.5),
    )


REPORT = """\
## Tickets of the week

Most tickets are about **refunds**; one customer waits for two weeks.

1. `refund`: 2 tickets
2. `crash`: 1 ticket
"""
TICKETS = [
    {"id": 1, "text": "The app crashes when I open a file", "class": "crash", "days": 0.5, "customer": None},
    {"id": 2, "text": "退款还没有到账", "class": "refund", "days": 14, "customer": "陈明"},
    {"id": 3, "text": "I want my money back | now", "class": "refund", "days": 3.25, "customer": "K. Meier"},
]
OUTPUTS: dict[str, Any] = {
    "rows": 3,
    "mean_days": 5.92,
    "urgent": True,
    "report": REPORT,
    "tickets": TICKETS,
    "shares": [["refund", 0.67], ["crash", 0.33]],
    "numbers": {"days": {"count": 3, "sum": 17.75, "mean": 5.92, "min": 0.5, "max": 14}, "unread": []},
    "words": ["refund", "crash"],
    "chart": {
        "dify_model_identity": "__dify__file__", "id": None, "type": "image", "related_id": "chart1",
        "filename": "shares.png", "mime_type": "image/png", "size": len(PNG), "extension": ".png",
        "url": "https://signed.example/files/chart1?sign=secret", "remote_url": "https://signed.example/f?sign=secret",
    },
    "table": [{
        "dify_model_identity": "__dify__file__", "type": "document", "related_id": "table1", "filename": "tickets.csv",
        "mime_type": "text/csv", "size": 812, "url": "https://signed.example/files/table1?sign=secret",
    }],
    "note": None,
    "empty": "",
}  # fmt: skip
"""Of each kind of value one, as a server tells them."""


def workflow(now: float | None = None) -> Turn:
    """A workflow app's run over three tickets.

    Args:
        now: seconds since it was sent, for one that still runs then and says its text.
    """
    nodes = [
        _node(0, "Start", "start", 0.31, 0.32, outputs={"classes": "crash; refund"}),
        _node(1, "Read the tickets", "code", 0.33, 0.42, outputs={"rows": 3}),
        _node(2, "Each ticket", "iteration", 0.43, 3.1, kind="iteration", length=3, total_tokens=610,
              rounds=(Round(index=0, elapsed=0.9), Round(index=1, elapsed=0.8), Round(index=2, elapsed=0.9))),
        _node(3, "Classify", "llm", 0.44, 1.33, parent="run2", round=0, total_tokens=201),
        _node(4, "Classify", "llm", 1.35, 2.16, parent="run2", round=1, total_tokens=199,
              retries=(Retry(index=1, error="Rate limit reached", elapsed=0.4),)),
        _node(5, "Classify", "llm", 2.17, 3.08, parent="run2", round=2, total_tokens=210),
        _node(6, "Write the report", "llm", 3.12, 5.4, total_tokens=344),
        _node(7, "End", "end", 5.41, 5.43),
    ]  # fmt: skip
    turn = Turn(
        inputs={"text": "id,text\n1,The app crashes when I open a file\n", "classes": "crash; refund", "urgent": None},
        answer=REPORT,
        answer_raw=REPORT,
        status="succeeded",
        end="eof",
        complete=True,
        nodes=tuple(nodes),
        files=(MessageFile(id="chart1", type="image", name="shares.png", mime_type="image/png", data=PNG),),
        usage=Usage(prompt_tokens=760, completion_tokens=194, total_tokens=954),
        timing=Timing(opened=0.3, first_event=0.3, first_token=3.5, total=5.5),
        workflow=Workflow(
            id="1f8f4c2e-7d58-4d3c-9a51-1f6f0c9a7b10", workflow_id="6dec7588-90ab-4cde-8f01-234567890abc", status="succeeded",
            outputs=OUTPUTS, elapsed=5.12, total_tokens=954, total_steps=8,
        ),
        workflow_run_id="1f8f4c2e-7d58-4d3c-9a51-1f6f0c9a7b10",
        task_id="95524be6-91d5-4a2e-8d0c-66c7b6f1c8a2",
        server="https://api.example.org/v1",
        app="Ticket desk",
        app_mode="workflow",
    )  # fmt: skip
    if now is None:
        return turn
    begun = []
    for node in nodes:
        if node.started_at is None or node.started_at > now:
            continue
        if node.finished_at is not None and node.finished_at > now:
            node = _node(int(node.id[3:]), node.title, node.node_type, node.started_at, None, kind=node.kind,
                         parent=node.parent, round=node.round, length=node.length)  # fmt: skip
        begun.append(node)
    said = REPORT[: int(max(0.0, now - 3.5) / 1.9 * len(REPORT))]
    return msgspec.structs.replace(
        turn, answer=said, answer_raw=said, status="running", end=None, complete=False, nodes=tuple(begun), files=(),
        usage=None, timing=Timing(opened=0.3), workflow=Workflow(id="r", workflow_id="6dec7588"),
    )  # fmt: skip


def completion() -> Turn:
    """A completion app's answer: inputs, a text, and a message that no conversation holds."""
    return Turn(
        inputs={"query": "Good morning", "language": "de"},
        answer="Guten **Morgen**",
        answer_raw="Guten **Morgen**",
        status="succeeded",
        end="message_end",
        complete=True,
        usage=Usage(prompt_tokens=20, completion_tokens=4, total_tokens=24),
        timing=Timing(first_token=0.4, total=0.7),
        message_id="5ad4cb98-f0c7-4085-b384-88c403be6290",
        task_id="900bbd43-dc0b-4383-a372-aa6e6c414227",
        server="https://api.example.org/v1",
        app="Translator",
        app_mode="completion",
    )
