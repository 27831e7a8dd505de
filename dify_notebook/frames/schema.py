"""Every table and column: name, dtype, unit, whether it can be missing, and what it means.

All frames, empty ones too, have exactly these columns in this order with these dtypes. What is lean
and useful for counting comes first, long texts come last.

dtypes: `string` (pandas' nullable one), `Int64` (nullable), `boolean` (nullable), `float64` (missing is
NaN), `timestamp` (`datetime64[us, UTC]`, missing is NaT), `category` (the categories named here in this
order, after them any other word of the server; missing is NaN). Nested values are JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from ..turn.forms import FormStatus
from ..turn.state import End, NodeStatus, Status
from ..wire.kinds import FILE_KINDS

DType = Literal["string", "Int64", "boolean", "float64", "timestamp", "category"]


class Column(msgspec.Struct, frozen=True):
    """One column of a table."""

    name: str
    dtype: DType
    doc: str
    nullable: bool = True
    """Whether a value can be missing."""
    unit: str = ""
    """s, bytes, tokens, JSON; prices are in the row's `currency`."""
    categories: tuple[str, ...] = ()
    """Those that are always there, for a category."""


class Table(msgspec.Struct, frozen=True):
    """One table."""

    name: str
    doc: str
    key: tuple[str, ...]
    """The columns that identify a row."""
    columns: tuple[Column, ...]
    order: tuple[str, ...] = ()
    """The columns that a `History` sorts its rows by; with a minus the greatest comes first."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


RATINGS = ("like", "dislike")
MESSAGE_STATUS = ("normal", "error", "paused")

C = Column


def _id(name: str, doc: str, *, nullable: bool = False) -> Column:
    return C(name, "string", doc, nullable)


_MESSAGE_ID = _id("message_id", "The message; joins all tables.")
_OF_TURN = _id("message_id", "The message; missing where a run ended before it had one.", nullable=True)
_CONVERSATION_ID = _id("conversation_id", "The conversation.")
_IN_CONVERSATION = _id("conversation_id", "The conversation, where known.", nullable=True)
_USER = C("user", "string", "The `user` that the API was asked with, where known.")

_USAGE = (
    C("prompt_tokens", "Int64", "Tokens of the prompt.", unit="tokens"),
    C("completion_tokens", "Int64", "Tokens of the answer.", unit="tokens"),
    C("total_tokens", "Int64", "Tokens in all, as the server added them up.", unit="tokens"),
    C("prompt_price", "float64", "Price of the prompt.", unit="currency"),
    C("completion_price", "float64", "Price of the answer.", unit="currency"),
    C("total_price", "float64", "Price in all. Never add different currencies.", unit="currency"),
    C("currency", "string", "What the prices are in, as the server writes it."),
    C("latency", "float64", "How long the model took, measured by the server.", unit="s"),
    C("time_to_first_token", "float64", "Until the model's first token, measured by the server.", unit="s"),
)

CONVERSATIONS = Table(
    "conversations",
    "One row for each conversation.",
    ("conversation_id",),
    (
        _CONVERSATION_ID,
        _USER,
        C("created_at", "timestamp", "When it began."),
        C("updated_at", "timestamp", "When it was last used or renamed."),
        C("status", "category", "As told.", categories=("normal",)),
        C("name", "string", "Its title.", False),
        C("introduction", "string", "The opening statement with its variables filled in."),
        C("inputs", "string", "The inputs it began with.", unit="JSON"),
    ),
    ("-updated_at", "conversation_id"),
)

MESSAGES = Table(
    "messages",
    "One row for each question with its answer. Tokens, price and latency are the server's (Dify 1.16 and newer). Of "
    "older ones they come from the tapes of runs on this machine, or from an export, and are missing otherwise.",
    ("message_id",),
    (
        _MESSAGE_ID,
        _IN_CONVERSATION,
        _USER,
        C("created_at", "timestamp", "When it was asked; whole seconds from the API."),
        C("status", "category", "normal, error, or paused: its run waits for people.", categories=MESSAGE_STATUS),
        C("rating", "category", "What the user thought of the answer.", categories=RATINGS),
        *_USAGE,
        C(
            "usage_from",
            "category",
            "Where tokens, price and latency are from. What a server does not tell (prices of prompt and answer, time "
            "to the first token) is from a run or an export beside it.",
            categories=("run", "export", "server"),
        ),
        C("model", "string", "The model that answered; only in exports."),
        _id("parent_message_id", "The message that it follows; the API tells none.", nullable=True),
        C("error", "string", "Why it failed."),
        C("query", "string", "The question.", False),
        C("answer", "string", "The answer without the model's reasoning.", False),
        C("reasoning", "string", "The model's reasoning, where the answer held some."),
        C("inputs", "string", "The inputs.", unit="JSON"),
    ),
    ("created_at", "conversation_id"),
)

BEYOND_API = (*(column.name for column in _USAGE), "usage_from", "model", "parent_message_id")
"""Columns of messages that some servers never give, or none: from exports and tapes, and tapes are not kept for ever.
An update keeps their values; see `usage`."""

THOUGHTS = Table(
    "thoughts",
    "One row for each tool call of an agent, and one for each thought without a call."
    " Of more than 100 calls in one thought, what was thought, the label and the raw columns stand in the first row"
    " alone.",
    ("thought_id", "call"),
    (
        _id("thought_id", "The thought; one that called several tools has several rows."),
        C("call", "Int64", "Which call of the thought, from 0.", False),
        _OF_TURN,
        _IN_CONVERSATION,
        _USER,
        C("position", "Int64", "Which thought of the message, from 1."),
        C("tool", "string", "The tool called; missing where none was."),
        C("tool_label", "string", "The tool's name for people, in English where there is one."),
        C("created_at", "timestamp", "When it was stored; whole seconds."),
        C("started", "float64", "When it was first seen, since the question was sent; live runs only.", unit="s"),
        C("finished", "float64", "When it was last changed, likewise.", unit="s"),
        C("thought", "string", "What the agent said."),
        C("answer", "string", "What it said to the user in this step, where that is told apart (Dify 1.16)."),
        C("input", "string", "What this tool was given.", unit="JSON"),
        C("output", "string", "What this tool gave back, as it is."),
        C("tools_raw", "string", "The tools of the thought as told, joined by `;`."),
        C("input_raw", "string", "The inputs of all its tools as told."),
        C("output_raw", "string", "The observations of all its tools as told."),
    ),
    ("created_at", "conversation_id", "message_id", "position", "call"),
)

CITATIONS = Table(
    "citations",
    "One row for each passage that an answer rests on.",
    ("message_id", "position"),
    (
        _OF_TURN,
        _IN_CONVERSATION,
        _USER,
        C("position", "Int64", "Rank among the message's passages, from 1."),
        C("score", "float64", "How well it fits, as the retriever counts."),
        _id("dataset_id", "The knowledge base.", nullable=True),
        C("dataset_name", "string", "Its name."),
        _id("document_id", "The document.", nullable=True),
        C("document_name", "string", "Its name."),
        _id("segment_id", "The passage.", nullable=True),
        C("segment_position", "Int64", "Where in the document the passage stands."),
        C("hit_count", "Int64", "How often the passage had been found by then."),
        C("word_count", "Int64", "Length of the passage, in the server's words."),
        C("data_source_type", "string", "Where the document is from, such as upload_file."),
        C("content", "string", "The passage."),
    ),
    ("conversation_id", "message_id", "position"),
)

FILES = Table(
    "files",
    "One row for each file of a message. Addresses are without what signs them.",
    ("message_id", "file_id"),
    (
        _OF_TURN,
        _IN_CONVERSATION,
        _USER,
        _id("file_id", "The file, as the message names it.", nullable=True),
        _id("upload_file_id", "The upload that it was, where told.", nullable=True),
        C("type", "category", "Kind.", categories=FILE_KINDS),
        C("belongs_to", "category", "Who gave it.", categories=("user", "assistant")),
        C("transfer_method", "category", "How.", categories=("local_file", "remote_url", "tool_file")),
        C("name", "string", "File name."),
        C("mime_type", "string", "Media type."),
        C("size", "Int64", "Size.", unit="bytes"),
        C("url", "string", "Address without query; a server's own is of no use without it."),
    ),
    ("conversation_id", "message_id"),
)

FORMS = Table(
    "forms",
    "One row for each form that a run asked people to answer (Dify 1.13 and newer). With a form's token anybody may "
    "answer it: no table has it.",
    ("message_id", "form_id"),
    (
        _OF_TURN,
        _IN_CONVERSATION,
        _USER,
        _id("workflow_run_id", "The run that asked.", nullable=True),
        _id("form_id", "The form."),
        _id("node_id", "The node that asked.", nullable=True),
        C("node_title", "string", "Its name for people."),
        C(
            "status",
            "category",
            "Whether it waits, was answered, or was not answered in time.",
            categories=get_args(FormStatus),
        ),
        C("submitted", "boolean", "Whether somebody answered it."),
        _id("action_id", "The action that was chosen.", nullable=True),
        C("action_text", "string", "What stands on its button."),
        C("created_at", "timestamp", "When it was asked; only in exports."),
        C("submitted_at", "timestamp", "When it was answered; only in exports."),
        C("expires_at", "timestamp", "Until when it could be answered."),
        C("content", "string", "What was asked, as markdown; `{{#$output.NAME#}}` stands for a field."),
        C("rendered_content", "string", "The same with what was filled in, once it was answered."),
        C("inputs", "string", "What was filled in, by field.", unit="JSON"),
        C("definition", "string", "The form as told: fields, actions, defaults; without its token.", unit="JSON"),
    ),
    ("conversation_id", "message_id"),
)

VARIABLES = Table(
    "variables",
    "One row for each variable that a chatflow keeps for a conversation (Dify 1.x).",
    ("conversation_id", "variable_id"),
    (
        _CONVERSATION_ID,
        _USER,
        _id("variable_id", "The app's variable: the same in every conversation."),
        C("name", "string", "Its name.", False),
        C("value_type", "string", "string, number, object, array[string] and so on."),
        C("created_at", "timestamp", "When it was first set."),
        C("updated_at", "timestamp", "When it was last set."),
        C("value", "string", "The value.", unit="JSON"),
        C("value_raw", "string", "The value as told; Dify 1.x writes lists and objects as Python does."),
        C("description", "string", "What the app's author wrote about it."),
    ),
    ("conversation_id", "name"),
)

FEEDBACKS = Table(
    "feedbacks",
    "One row for each rating. Servers without a list of ratings (Dify 0.15) tell those of the messages alone, "
    "without id, time and comment.",
    ("message_id", "from_source"),
    (
        _id("feedback_id", "The rating; missing where only the message told it.", nullable=True),
        _MESSAGE_ID,
        _IN_CONVERSATION,
        _USER,
        C("rating", "category", "The rating.", categories=RATINGS),
        C("from_source", "category", "An end user, or someone in Dify's console.", categories=("user", "admin")),
        _id("end_user_id", "The server's id of the end user.", nullable=True),
        _id("account_id", "The server's id of the console's user.", nullable=True),
        C("created_at", "timestamp", "When it was given."),
        C("updated_at", "timestamp", "When it was last changed."),
        C("content", "string", "The comment."),
    ),
    ("created_at", "message_id"),
)

ANNOTATIONS = Table(
    "annotations",
    "One row for each answer that a person wrote for a question; they belong to the app, not to a conversation.",
    ("annotation_id",),
    (
        _id("annotation_id", "The annotation."),
        C("created_at", "timestamp", "When it was written."),
        C("hit_count", "Int64", "How often it answered."),
        C("question", "string", "The question."),
        C("answer", "string", "The answer."),
    ),
    ("created_at", "annotation_id"),
)

WORKFLOW_RUNS = Table(
    "workflow_runs",
    "One row for each run of a workflow app, by whomever it was started.",
    ("workflow_run_id",),
    (
        _id("workflow_run_id", "The run; joins `turns` and `nodes` of runs on this machine."),
        C("user", "string", "The `user` that it was started with; of the console its account's name."),
        C("created_at", "timestamp", "When it began; whole seconds from the API."),
        C("finished_at", "timestamp", "When it ended."),
        C(
            "status",
            "category",
            "As told. Dify 1.12 leaves runs that were stopped at running.",
            categories=("running", "succeeded", "failed", "stopped", "partial-succeeded", "paused"),
        ),
        C("elapsed", "float64", "How long it ran, measured by the server.", unit="s"),
        C("total_tokens", "Int64", "Tokens in all.", unit="tokens"),
        C("total_steps", "Int64", "How many nodes ran, as the server counts: Dify 0.15 counts those of iterations too."),
        C("exceptions_count", "Int64", "Nodes that failed and whose error was handled."),
        C("user_role", "category", "Who started it.", categories=("end_user", "account")),
        C("created_from", "string", "service-api, web-app and so on."),
        C("triggered_from", "string", "app-run and so on (Dify 1.x)."),
        C("version", "string", "The version of the workflow: when it was published, as the server writes it."),
        _id("workflow_id", "The workflow; only with `details`, or in exports.", nullable=True),
        C("error", "string", "Why it failed."),
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
        _OF_TURN,
        _IN_CONVERSATION,
        C("user", "string", "The user who asked, where known."),
        C("created_at", "timestamp", "When it was asked."),
        C("status", "category", "How it went.", categories=get_args(Status)),
        C("end", "category", "How the stream ended.", categories=get_args(End)),
        C("complete", "boolean", "Whether everything that was sent arrived and could be read.", False),
        C("rating", "category", "What the user thought of it, where the source tells.", categories=RATINGS),
        *_USAGE,
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
        _id("workflow_run_id", "The run of a workflow app or a chatflow.", nullable=True),
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
    ("message_id", "position"),
    (
        _OF_TURN,
        _IN_CONVERSATION,
        _id("workflow_run_id", "The run of the workflow app or the chatflow.", nullable=True),
        C("position", "Int64", "Order of appearance in the turn, from 0.", False),
        _id("node_id", "The node in the app's graph."),
        _id("node_run_id", "This run of it."),
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
        _id("parent", "`node_run_id` of the iteration or loop that it ran in.", nullable=True),
        C("round", "Int64", "Which round of it, from 0, where known."),
        _id("parallel_id", "The parallel branch (Dify 0.15).", nullable=True),
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
        _OF_TURN,
        C("position", "Int64", "Order on the wire, from 0.", False),
        C("at", "float64", "When it came, since the question was sent.", False, unit="s"),
        C(
            "event",
            "string",
            "Its name: message, node_finished, ping and so on; with § what happened on this side, such as a loss.",
            False,
        ),
        _id("node_id", "The node that it tells of, or that said its text.", nullable=True),
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
        _id("run_id", "The tape's name in the local store."),
        _id("message_id", "The message; missing where the run ended before it had one, and of workflow apps.", nullable=True),
        _IN_CONVERSATION,
        C("user", "string", "The user who asked."),
        C("created_at", "timestamp", "When it was asked."),
        C("status", "category", "How it went, where the tape says so.", categories=get_args(Status)),
        C("server", "string", "Base URL that answered."),
        C("app", "string", "Name of the app, where known."),
        C("size", "Int64", "Size of the tape on the disk.", False, unit="bytes"),
        C("query", "string", "The question."),
        _id("workflow_run_id", "The run of a workflow app or a chatflow, where the tape tells it.", nullable=True),
    ),
)

HISTORY: tuple[Table, ...] = (
    CONVERSATIONS,
    MESSAGES,
    THOUGHTS,
    CITATIONS,
    FILES,
    FORMS,
    VARIABLES,
    FEEDBACKS,
    ANNOTATIONS,
    WORKFLOW_RUNS,
)
"""The tables of a `History`, in its order."""

SCHEMA: Mapping[str, Table] = {table.name: table for table in (*HISTORY, TURNS, NODES, EVENTS, RUNS)}
"""All tables by name."""


def as_markdown(table: Table) -> str:
    """The columns of a table, as a table for the documents."""
    lines = ["| column | dtype | unit | missing | what it is |", "| --- | --- | --- | --- | --- |"]
    for column in table.columns:
        doc = column.doc
        if column.categories:
            doc += f" Categories: {', '.join(column.categories)}."
        missing = "can be" if column.nullable else ""
        lines.append(f"| `{column.name}` | {column.dtype} | {column.unit} | {missing} | {doc} |")
    return "\n".join(lines)
