"""Every table and column: name, dtype, unit, whether it can be missing, and what it means.

All frames, empty ones too, have exactly these columns in this order with these dtypes. What is lean
and useful for counting comes first, long texts come last.

dtypes: `string` (pandas' nullable one), `Int64` (nullable), `boolean` (nullable), `float64` (missing is
NaN), `timestamp` (`datetime64[us, UTC]`, missing is NaT), `category` (the categories named here in this
order, after them any other word of the server; missing is NaN). Nested values are JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from ..turn.forms import FormStatus
from ..wire.kinds import FILE_KINDS
from .column import (
    CONVERSATION_ID,
    IN_CONVERSATION,
    MESSAGE_ID,
    OF_TURN,
    RATINGS,
    USAGE,
    USER,
    id_column,
)
from .column import Column as Column
from .column import Table as Table
from .run_schema import EVENTS, NODES, RUNS, TURNS, WORKFLOW_RUNS
from .run_schema import RUN_DETAILS as RUN_DETAILS

MESSAGE_STATUS = ("normal", "error", "paused")

C = Column

CONVERSATIONS = Table(
    "conversations",
    "One row for each conversation.",
    ("conversation_id",),
    (
        CONVERSATION_ID,
        USER,
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
        MESSAGE_ID,
        IN_CONVERSATION,
        USER,
        C("created_at", "timestamp", "When it was asked; whole seconds from the API."),
        C("status", "category", "normal, error, or paused: its run waits for people.", categories=MESSAGE_STATUS),
        C("rating", "category", "What the user thought of the answer.", categories=RATINGS),
        *USAGE,
        C(
            "usage_from",
            "category",
            "Where tokens, price and latency are from. What a server does not tell (prices of prompt and answer, time "
            "to the first token) is from a run or an export beside it.",
            categories=("run", "export", "server"),
        ),
        C("model", "string", "The model that answered; only in exports."),
        id_column("parent_message_id", "The message that it follows; the API tells none.", nullable=True),
        C("error", "string", "Why it failed."),
        C("query", "string", "The question.", False),
        C("answer", "string", "The answer without the model's reasoning.", False),
        C("reasoning", "string", "The model's reasoning, where the answer held some."),
        C("inputs", "string", "The inputs.", unit="JSON"),
    ),
    ("created_at", "conversation_id"),
)

BEYOND_API = (*(column.name for column in USAGE), "usage_from", "model", "parent_message_id")
"""Columns of messages that some servers never give, or none: from exports and tapes, and tapes are not kept for ever.
An update keeps their values; see `usage`."""

THOUGHTS = Table(
    "thoughts",
    "One row for each tool call of an agent, and one for each thought without a call."
    " Of more than 100 calls in one thought, what was thought, the label and the raw columns stand in the first row"
    " alone.",
    ("thought_id", "call"),
    (
        id_column("thought_id", "The thought; one that called several tools has several rows."),
        C("call", "Int64", "Which call of the thought, from 0.", False),
        OF_TURN,
        IN_CONVERSATION,
        USER,
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
        OF_TURN,
        IN_CONVERSATION,
        USER,
        C("position", "Int64", "Rank among the message's passages, from 1."),
        C("score", "float64", "How well it fits, as the retriever counts."),
        id_column("dataset_id", "The knowledge base.", nullable=True),
        C("dataset_name", "string", "Its name."),
        id_column("document_id", "The document.", nullable=True),
        C("document_name", "string", "Its name."),
        id_column("segment_id", "The passage.", nullable=True),
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
        OF_TURN,
        IN_CONVERSATION,
        USER,
        id_column("file_id", "The file, as the message names it.", nullable=True),
        id_column("upload_file_id", "The upload that it was, where told.", nullable=True),
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
        OF_TURN,
        IN_CONVERSATION,
        USER,
        id_column("workflow_run_id", "The run that asked.", nullable=True),
        id_column("form_id", "The form."),
        id_column("node_id", "The node that asked.", nullable=True),
        C("node_title", "string", "Its name for people."),
        C(
            "status",
            "category",
            "Whether it waits, was answered, or was not answered in time.",
            categories=get_args(FormStatus),
        ),
        C("submitted", "boolean", "Whether somebody answered it."),
        id_column("action_id", "The action that was chosen.", nullable=True),
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
        CONVERSATION_ID,
        USER,
        id_column("variable_id", "The app's variable: the same in every conversation."),
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
        id_column("feedback_id", "The rating; missing where only the message told it.", nullable=True),
        MESSAGE_ID,
        IN_CONVERSATION,
        USER,
        C("rating", "category", "The rating.", categories=RATINGS),
        C("from_source", "category", "An end user, or someone in Dify's console.", categories=("user", "admin")),
        id_column("end_user_id", "The server's id of the end user.", nullable=True),
        id_column("account_id", "The server's id of the console's user.", nullable=True),
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
        id_column("annotation_id", "The annotation."),
        C("created_at", "timestamp", "When it was written."),
        C("hit_count", "Int64", "How often it answered."),
        C("question", "string", "The question."),
        C("answer", "string", "The answer."),
    ),
    ("created_at", "annotation_id"),
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
