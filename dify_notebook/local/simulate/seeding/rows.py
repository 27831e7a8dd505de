"""The conversations of a seeded history as rows of the store's tables: who, when, how long, and how it went."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from ...apps.catalog import APPS
from ...engine.app import App
from ...engine.search.sections import Language
from ...engine.titles import title
from ...store.store import as_json
from ...tokens import nothing_used
from .answers import Answer, Answers
from .crowd import Calendar, Person, beginnings
from .threads import BILLING, Thread, threads

OVERLOADED = "The model is overloaded, please try again later."

_COMMENTS: dict[str, dict[Language, tuple[str, ...]]] = {
    "nothing": {
        "en": ("There is nothing about billing here", "Not an answer", "I only want to know about my refund"),
        "zh-Hans": ("没有回答我的问题", "文档里没有退款的说明", "完全没有帮助"),
    },
    "slow": {"en": ("Far too slow", "Took forever"), "zh-Hans": ("太慢了", "等了很久")},
    "wrong": {
        "en": ("Too long to read", "That is not what I asked", "The wrong page"),
        "zh-Hans": ("答非所问", "太长了", "引用的不是这一页"),
    },
    "good": {
        "en": ("Thanks, that works", "Exactly what I needed", "Clear"),
        "zh-Hans": ("谢谢，很有用", "说得很清楚", "正是我要的"),
    },
}
_OPENERS: dict[Language, tuple[str, ...]] = {
    "en": ("Hi, ", "Hello! ", "Please: "),
    "zh-Hans": ("你好，", "请问", "您好，"),
}
_SHARES = {"guide": 0.58, "toolbox": 0.24, "pipeline": 0.18}
_SLOW = 9.0
"""Seconds after which people lose patience."""


@dataclass
class Rows:
    """Rows for each table, in the order of its columns in `write.py`."""

    conversations: list[tuple[Any, ...]] = field(default_factory=list)
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    thoughts: list[tuple[Any, ...]] = field(default_factory=list)
    node_runs: list[tuple[Any, ...]] = field(default_factory=list)
    feedbacks: list[tuple[Any, ...]] = field(default_factory=list)
    variables: list[tuple[Any, ...]] = field(default_factory=list)
    files: list[tuple[Any, ...]] = field(default_factory=list)
    message_files: list[tuple[Any, ...]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    """What lies in the directory of files, by id."""


@dataclass(frozen=True)
class Outcome:
    """How one message went."""

    state: str
    seconds: float
    """From the question to the end of the answer."""
    first: float | None
    """Seconds to the first text; None where none came."""


class Writer:
    """Makes the rows of conversations, all by chance from one seed."""

    def __init__(
        self,
        chance: random.Random,
        calendar: Calendar,
        answers: Answers,
        users: dict[tuple[str, str], str],
    ) -> None:
        self._chance = chance
        self._calendar = calendar
        self._answers = answers
        self._users = users
        """App and session -> id of the end user."""
        self._threads: dict[tuple[str, str, bool], list[Thread]] = {}
        for thread in threads():
            key = (thread.app, thread.lang, thread.topic == BILLING)
            self._threads.setdefault(key, []).append(thread)

    def write(self, number: int) -> Rows:
        """So many conversations, in the order of their time."""
        rows = Rows()
        for begun, person in sorted(beginnings(self._chance, self._calendar, number), key=itemgetter(0)):
            self._conversation(rows, begun, person)
        # The store pages by row number: rows go in by their time.
        rows.messages.sort(key=lambda row: row[7])
        return rows

    # -- one conversation -----------------------------------------------------------------------

    def _conversation(self, rows: Rows, begun: datetime, person: Person) -> None:
        chance = self._chance
        thread = self._thread(begun, person)
        app, answers = APPS[thread.app], self._answers.of(thread)
        user = self._users[thread.app, person.session]
        key = self._id()
        opener = chance.choice(_OPENERS[thread.lang]) if chance.random() < 0.15 and thread.topic != "list" else ""
        inputs = {control.variable: None for control in app.form}
        moment, last, turns = begun, begun, 0
        last_kept: Answer | None = None
        first = (opener + thread.questions[0]) if opener else thread.questions[0]
        for question, answer in zip(thread.questions, answers, strict=True):
            outcome = self._outcome(moment, app, answer)
            query = first if turns == 0 else question
            self._message(rows, key, user, person, app, query, inputs, moment, answer, outcome, turns + 1)
            turns += 1
            if outcome.state == "done":
                last_kept = answer
            last = moment + timedelta(seconds=outcome.seconds)
            moment = last + timedelta(seconds=2 + chance.lognormvariate(3.6, 0.8))
            if chance.random() < (0.5 if outcome.state == "failed" else 0.3) or moment.date() >= self._calendar.until:
                break
        rows.conversations.append(
            (
                key, app.name, user, title(first), as_json(inputs), app.introduction(inputs),
                _seconds(begun), _seconds(last), turns,
            )
        )  # fmt: skip
        for variable in app.variables:
            row = variable.row(app.name)
            value = row["value"] if last_kept is None else last_kept.variables[variable.name]
            rows.variables.append(
                (
                    key, row["id"], row["name"], row["value_type"], as_json(value), row["description"],
                    _seconds(begun), _seconds(last),
                )
            )  # fmt: skip

    def _thread(self, begun: datetime, person: Person) -> Thread:
        chance = self._chance
        (app,) = chance.choices(list(_SHARES), weights=list(_SHARES.values()))
        billing = app == "guide" and chance.random() < (0.24 if begun.date() >= self._calendar.launch else 0.012)
        return chance.choice(self._threads[app, person.lang, billing])

    def _outcome(self, moment: datetime, app: App, answer: Answer) -> Outcome:
        """How long it took and how it ended. Mornings in Europe are busy; on the bad day nearly nothing works."""
        chance = self._chance
        bad = self._calendar.overloaded(moment)
        busy = 4.0 if bad else 1.5 if 8 <= moment.hour < 11 and moment.weekday() < 5 else 1.0
        work = {"guide": 1.1, "toolbox": 0.7 + 0.9 * answer.tools, "pipeline": 1.4 + 0.9 * answer.items}[app.name]
        written = 0.003 * len(answer.text)
        first = work * busy * chance.lognormvariate(0, 0.3)
        seconds = first + written * busy * chance.lognormvariate(0, 0.2)
        luck = chance.random()
        if luck < (0.35 if bad else 0.008):
            return Outcome("failed", min(first, 30.0), None)
        if chance.random() < min(0.5, 0.004 + max(0.0, seconds - _SLOW) * 0.03):
            share = chance.uniform(0.2, 0.9)
            return Outcome("stopped", first + (seconds - first) * share, first)
        return Outcome("abandoned" if luck > 0.994 else "done", seconds, first)

    def _message(
        self, rows: Rows, conversation: str, user: str, person: Person, app: App, query: str,
        inputs: dict[str, Any], moment: datetime, answer: Answer, outcome: Outcome, turn: int,
    ) -> None:  # fmt: skip
        chance, key, at = self._chance, self._id(), _seconds(moment)
        text = answer.text
        if outcome.state == "failed":
            text = ""
        elif outcome.state == "stopped":
            text = text[: max(1, int(len(text) * chance.uniform(0.1, 0.8)))]
        error = OVERLOADED if outcome.state == "failed" else None
        ran = self._workflow(answer, outcome, user, person, at, error)
        done = outcome.state in ("done", "abandoned")
        rows.messages.append(
            (
                key, conversation, query, as_json(inputs), text, outcome.state, error, at,
                _seconds(moment + timedelta(seconds=outcome.seconds)), as_json(_usage(app, answer, outcome)),
                answer.resources_json if done else "[]", None if ran is None else as_json(ran),
            )
        )  # fmt: skip
        if outcome.state != "failed":
            for thought in answer.thoughts:
                rows.thoughts.append(
                    (
                        self._id(), key, thought["position"], thought["thought"], thought["tool"],
                        as_json(thought["tool_labels"]), thought["tool_input"], thought["observation"],
                        at + int(outcome.seconds * thought["position"] / (len(answer.thoughts) + 1)),
                    )
                )  # fmt: skip
        if done and ran is not None:
            values = {
                "sys.user_id": person.session,
                "sys.workflow_run_id": ran["id"],
                "sys.query": query,
                "sys.conversation_id": conversation,
            }
            self._nodes(rows, key, answer, outcome, at, values)
        if chance.random() < 0.035 and app.files is not None:
            self._file(rows, key, user, app, at)
        self._feedback(rows, key, user, person.lang, moment, app, answer, outcome)

    def _workflow(
        self, answer: Answer, outcome: Outcome, user: str, person: Person, at: int, error: str | None
    ) -> dict[str, Any] | None:
        if answer.workflow_run is None:
            return None
        status = {"failed": "failed", "stopped": "stopped"}.get(outcome.state, "succeeded")
        finished = status == "succeeded"
        return {
            **answer.workflow_run,
            "id": self._id(),
            "status": status,
            "outputs": answer.workflow_run["outputs"] if finished else {},
            "error": "Stopped by user." if status == "stopped" else error,
            "elapsed_time": round(outcome.seconds, 6),
            "total_tokens": answer.workflow_run["total_tokens"] if finished else 0,
            "created_by": {"id": user, "user": person.session},
            "created_at": at,
            "finished_at": at + int(outcome.seconds),
            "exceptions_count": int(status == "failed"),
        }

    def _nodes(
        self, rows: Rows, message: str, answer: Answer, outcome: Outcome, at: int, system: dict[str, str]
    ) -> None:
        """The nodes of a run that came to its end, the time shared out by what each kind has to do."""
        leaves = [node for node in answer.nodes if node["node_type"] != "iteration"]
        total = sum(_WORK.get(node["node_type"], 0.1) for node in leaves) or 1.0
        inner = 0.0
        for node in answer.nodes:
            if node["node_type"] == "iteration":
                seconds, inner = inner, 0.0
            else:
                seconds = outcome.seconds * _WORK.get(node["node_type"], 0.1) / total
                if node.get("iteration_id"):
                    inner += seconds
            container = node["node_type"] == "iteration"
            data = {
                **node,
                "id": node["node_id"] if container else self._id(),
                "elapsed_time": round(seconds, 6),
                "created_at": at,
                "finished_at": at + int(outcome.seconds),
            }
            if node["node_type"] == "start":
                data |= {"inputs": {**node["inputs"], **system}, "outputs": {**node["outputs"], **system}}
            if container:
                share = round(seconds / max(len(node["outputs"]["output"]), 1), 6)
                each = dict.fromkeys(node["execution_metadata"]["iteration_duration_map"], share)
                data["execution_metadata"] = {**node["execution_metadata"], "iteration_duration_map": each}
            rows.node_runs.append(
                (
                    message, data["id"], node["node_id"], node["node_type"], node["status"], data["elapsed_time"],
                    as_json(data),
                )
            )  # fmt: skip

    def _file(self, rows: Rows, message: str, user: str, app: App, at: int) -> None:
        """A small table that came with the question."""
        chance, key = self._chance, self._id()
        lines = "".join(f"{day},{chance.randint(80, 990)}\n" for day in range(1, 15))
        content = f"day,orders\n{lines}".encode()
        name = chance.choice(("orders.csv", "april.csv", "sales.csv", "销量.csv"))
        rows.files.append((key, app.name, user, name, "csv", "text/csv", len(content), at))
        rows.message_files.append((self._id(), message, key, "document", "local_file", "user", None))
        rows.uploads[key] = content

    def _feedback(
        self, rows: Rows, message: str, user: str, lang: Language, moment: datetime, app: App, answer: Answer,
        outcome: Outcome,
    ) -> None:  # fmt: skip
        chance = self._chance
        if outcome.state == "abandoned" or chance.random() > (0.24 if answer.found else 0.4):
            return
        slow = outcome.seconds > _SLOW
        wrong = not answer.found
        bad = 0.85 if outcome.state == "failed" else 0.8 if wrong else 0.55 if slow else 0.09
        disliked = chance.random() < bad
        content = None
        if chance.random() < (0.4 if disliked else 0.12):
            blamed = "slow" if slow else "nothing" if wrong and app.name == "guide" else "wrong"
            kind = blamed if disliked else "good"
            content = chance.choice(_COMMENTS[kind][lang])
        at = _seconds(moment + timedelta(seconds=outcome.seconds + chance.uniform(3, 90)))
        rows.feedbacks.append((message, user, "dislike" if disliked else "like", content, at, at))

    def _id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))


_WORK = {
    "start": 0.01, "question-classifier": 0.8, "knowledge-retrieval": 1.2, "code": 0.4, "template-transform": 0.1,
    "answer": 0.05,
}  # fmt: skip
"""How the time of a run is shared out among the kinds of its nodes."""


def _usage(app: App, answer: Answer, outcome: Outcome) -> dict[str, Any]:
    workflow = app.is_flow
    first = round(outcome.first, 3) if workflow and outcome.first is not None else None
    generate = round(outcome.seconds - (outcome.first or 0.0), 3) if first is not None else None
    if outcome.state == "stopped":
        return nothing_used(first, generate)
    if outcome.state == "failed":
        # It had read the question when it failed, and written nothing.
        usage = {
            **answer.usage,
            "completion_tokens": 0,
            "completion_price": "0.0000000",
            "total_tokens": answer.usage["prompt_tokens"],
            "total_price": answer.usage["prompt_price"],
        }
        return {**usage, "latency": round(outcome.seconds, 3), "time_to_first_token": None, "time_to_generate": None}
    times = {"latency": round(outcome.seconds, 3), "time_to_first_token": first, "time_to_generate": generate}
    return {**answer.usage, **times}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
