"""The tables of turns and of runs: what happened once, live or on a tape, and what a workflow app's log lists."""

from __future__ import annotations

from typing import get_args

from ..turn.state import End, NodeStatus, Status
from ..wire.kinds import RunStatus
from .column import IN_CONVERSATION, OF_TURN, RATINGS, USAGE, Table, id_column
from .column import Column as C

WORKFLOW_RUNS = Table(
    "workflow_runs",
    "One row for each run of a workflow app, by whomever it was started.",
    ("workflow_run_id",),
    (
        id_column("workflow_run_id", "The run; joins `turns` and `nodes` of runs on this machine."),
        C("user", "string", "The `user` that it was started with; of the console its account's name."),
        C("created_at", "timestamp", "When it began; whole seconds from the API."),
        C("finished_at", "timestamp", "When it ended."),
        C(
            "status",
            "category",
            "As told. Dify 1.12 leaves runs that were stopped at running.",
            categories=get_args(RunStatus),
        ),
        C("elapsed", "float64", "How long it ran, measured by the server.", unit="s"),
        C("total_tokens", "Int64", "Tokens in all.", unit="tokens"),
        C("total_steps", "Int64", "How many nodes ran; Dify 0.15 counts those in iterations too."),
        C("exceptions_count", "Int64", "Nodes that failed and whose error was handled."),
        C("user_role", "category", "Who started it.", categories=("end_user", "account")),
        C("created_from", "string", "service-api, web-app and so on."),
        C("triggered_from", "string", "app-run and so on (Dify 1.x)."),
        C("version", "string", "The version of the workflow: when it was published, as the server writes it."),
        id_column("workflow_id", "The workflow; only with `details`, or in exports.", nullable=True),
        C("error", "string", "Why the run failed."),
        C("inputs", "string", "What it was given; only with `details`, or in exports.", unit="JSON"),
        C("outputs", "string", "What it gave; likewise.", unit="JSON"),
    ),
    ("created_at", "workflow_run_id"),
)

RUN_DETAILS = ("workflow_id", "inputs", "outputs")
"""Columns of workflow_runs that no list gives: the server tells them of one run at a time."""

TURNS = Table(
    "turns",
    "One row for each `Turn`, however it was got. Seconds count from the sending of the question.",
    ("message_id",),
    (
        OF_TURN,
        IN_CONVERSATION,
        C("user", "string", "The user who asked, where known."),
        C("created_at", "timestamp", "When it was asked."),
        C("status", "category", "How it went.", categories=get_args(Status)),
        C("end", "category", "How the stream ended.", categories=get_args(End)),
        C("complete", "boolean", "Whether everything that was sent arrived and could be read.", False),
        C("rating", "category", "What the user thought of it, where the source tells.", categories=RATINGS),
        *USAGE,
        C("opened", "float64", "When the response headers came.", unit="s"),
        C("first_event", "float64", "When the first event came.", unit="s"),
        C("first_token", "float64", "When the first text came.", unit="s"),
        C("total", "float64", "When it ended.", unit="s"),
        C("turn_number", "Int64", "Which turn of its conversation, from 1, where known."),
        C("node_count", "Int64", "How many nodes ran; missing for what is no workflow."),
        C("warning_count", "Int64", "How many things were wrong with the stream.", False),
        C("app", "string", "Name of the app, where known."),
        C("app_mode", "string", "chat, agent-chat, advanced-chat, agent, workflow or completion, where known."),
        C("server", "string", "Base URL that answered."),
        C("source", "category", "Where it is from.", categories=("stream", "blocking", "tape", "history")),
        id_column("workflow_run_id", "The run of a workflow app or a chatflow.", nullable=True),
        C("error_code", "string", "Dify's code of the error."),
        C("error", "string", "What went wrong."),
        C("query", "string", "The question, where known."),
        C("answer", "string", "The answer without the model's reasoning.", False),
        C("reasoning", "string", "The model's reasoning, where there was some."),
        C("inputs", "string", "The inputs.", unit="JSON"),
        C("outputs", "string", "What the run gave by name; missing for what is no workflow.", unit="JSON"),
    ),
)

NODES = Table(
    "nodes",
    "One row for each run of a workflow node, iterations and loops included. The API never gives them again: they "
    "are those of live runs and tapes. Seconds count from the sending of the question.",
    ("workflow_run_id", "position"),
    (
        OF_TURN,
        IN_CONVERSATION,
        id_column("workflow_run_id", "The run of the workflow app or the chatflow.", nullable=True),
        C("position", "Int64", "Order of appearance in the turn, from 0.", False),
        id_column("node_id", "The node in the app's graph."),
        id_column("node_run_id", "This run of it."),
        C("node_type", "string", "llm, code, answer and so on.", False),
        C("title", "string", "The node's name for people.", False),
        C("kind", "category", "What it is.", False, categories=("node", "iteration", "loop", "parallel")),
        C("status", "category", "How it went.", False, categories=get_args(NodeStatus)),
        C("started", "float64", "When its start was seen.", unit="s"),
        C("finished", "float64", "When its end was seen.", unit="s"),
        C("elapsed", "float64", "How long it ran, measured by the server.", unit="s"),
        C("total_tokens", "Int64", "Tokens, as told.", unit="tokens"),
        C("total_price", "float64", "Price, as told.", unit="currency"),
        C("currency", "string", "What the price is in."),
        C("retry_count", "Int64", "How many tries failed before.", False),
        C("round_count", "Int64", "How many rounds an iteration or a loop made; missing for a plain node."),
        id_column("parent", "`node_run_id` of the iteration or loop that it ran in.", nullable=True),
        C("round", "Int64", "Which round of it, from 0, where known."),
        id_column("parallel_id", "The parallel branch (Dify 0.15).", nullable=True),
        C("error", "string", "What went wrong."),
        C("inputs", "string", "What it was given.", unit="JSON"),
        C("process_data", "string", "What it did with it.", unit="JSON"),
        C("outputs", "string", "What it gave.", unit="JSON"),
    ),
)

EVENTS = Table(
    "events",
    "One row for each event of a stream, pings included; where a tape was kept.",
    ("message_id", "position"),
    (
        OF_TURN,
        C("position", "Int64", "Order on the wire, from 0.", False),
        C("at", "float64", "When it came, since the question was sent.", False, unit="s"),
        C(
            "event",
            "string",
            "Its name: message, node_finished, ping and so on; with § what happened on this side, such as a loss.",
            False,
        ),
        id_column("node_id", "The node that it tells of, or that said its text.", nullable=True),
        C("text", "string", "The piece of the answer that it brought."),
        C("size", "Int64", "Length of its data.", False, unit="bytes"),
        C("data", "string", "Its data as it came, without keys and signatures.", unit="JSON"),
    ),
)

RUNS = Table(
    "runs",
    "One row for each tape that a run left on this machine; `frames.replay` gives their turns.",
    ("run_id",),
    (
        id_column("run_id", "The tape's name in the local store."),
        OF_TURN,
        IN_CONVERSATION,
        C("user", "string", "The user who asked."),
        C("created_at", "timestamp", "When it was asked."),
        C("status", "category", "How it went, where the tape says so.", categories=get_args(Status)),
        C("server", "string", "Base URL that answered."),
        C("app", "string", "Name of the app, where known."),
        C("size", "Int64", "Size of the tape on the disk.", False, unit="bytes"),
        C("query", "string", "The question."),
        id_column(
            "workflow_run_id", "The run of a workflow app or a chatflow, where the tape tells it.", nullable=True
        ),
    ),
)
