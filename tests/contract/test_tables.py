"""Tables of what real servers said: every recorded list, cell by cell, and totals and rows that a person checked.

Cell by cell means: against a second, slow reading of the same JSON that stands in this file. The totals of
each group of recordings and the rows that show how Dify writes things are in `expected_tables.py`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pandas as pd
import pytest
from contract.exchanges import load_exchanges, operation
from contract.expected_tables import ROWS, TOTALS, Totals

from dify_notebook import frames
from dify_notebook.frames import dataframes, item_rows
from dify_notebook.wire import models

LISTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "conversations.list": (models.ConversationPage, ("conversations",)),
    "messages.list": (models.MessagePage, ("messages", "thoughts", "citations", "files", "forms")),
    "conversations.variables": (models.VariablePage, ("variables",)),
    "app.feedbacks": (models.FeedbackPage, ("feedbacks",)),
    "annotations.list": (models.AnnotationPage, ("annotations",)),
}
"""Operation -> what it answers, and the tables of it."""


@cache
def answered() -> dict[str, tuple[str, bytes]]:
    """Every recorded page of a list: case -> operation and body."""
    return {
        case: (name, told.body)
        for case, told in load_exchanges().items()
        if (name := operation(told.request)) in LISTS and told.status == 200 and told.request.method == "GET"
    }


def made(case: str) -> dict[str, pd.DataFrame]:
    """The tables of one page."""
    name, body = answered()[case]
    model, kinds = LISTS[name]
    items = models.decode(model, body).data
    found = {}
    for kind in kinds:
        of: dict[str, Any] = {"user": "me"} if kind not in ("feedbacks", "annotations") else {}
        if kind == "variables":
            of["conversation_id"] = "c"
        block = item_rows.message_batches(items, **of).get(kind, {}) if "messages" in kinds else item_rows.ITEM_ROWS[kind](items, **of)
        found[kind] = dataframes.from_columns(frames.SCHEMA[kind], block)
    return found


def test_reading_for_tables_is_the_same_reading() -> None:
    """Histories read messages another way than the client's lists, for speed: the rows must be the same."""
    for case, (name, body) in answered().items():
        if name == "messages.list":
            rows, page = (models.decode(kind, body).data for kind in (models.MessageRows, models.MessagePage))
            assert item_rows.message_batches(rows) == item_rows.message_batches(page), case


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("1795252306", 1_795_252_306),
        ('"1795252306"', 1_795_252_306),
        ("1795252306.5", 1_795_252_306.5),
        ("1795252306000", 1_795_252_306),
        ('"2026-11-21T09:11:46"', 1_795_252_306),
        ('"2026-11-21T17:11:46+08:00"', 1_795_252_306),
        ("null", None),
        ("1e300", None),
        ("1" + "0" * 30, None),
        ('"soon"', None),
        ("[1]", None),
    ],
)
def test_times_are_read_in_every_form(told: str, read: float | None) -> None:
    body = b'{"data":[{"id":"m","created_at":%s}],"has_more":true}' % told.encode()
    page = models.decode(models.MessageRows, body)
    assert page.has_more
    (row,) = page.data
    assert (row.created_at and row.created_at.timestamp()) == read
    (block,) = [item_rows.message_rows(page.data)]
    assert block["created_at"] == [read and round(read * 1_000_000)]


@pytest.mark.parametrize("body", [b'{"data":[{"id":1}]}', b'{"data":[{"id":"1","created_at":"soon"}]}'])
def test_what_is_written_in_another_way_is_read_as_elsewhere(body: bytes) -> None:
    (row,) = models.decode(models.MessageRows, body).data
    (message,) = models.decode(models.MessagePage, body).data
    assert (row.id, row.created_at) == (message.id, message.created_at) == ("1", None)


@pytest.mark.parametrize(
    "body", [b"[]", b'{"data":[{"id":null}]}', b"{", b'{"data":[5]}', b'{"data":[{}]}', b"[" * 9_000, b""]
)
def test_what_is_no_page_is_refused_as_elsewhere(body: bytes) -> None:
    told = []
    for kind in (models.MessagePage, models.MessageRows):
        with pytest.raises(ValueError, match=r".+") as caught:
            models.decode(kind, body)
        told.append(type(caught.value))
    assert issubclass(told[1], ValueError)
    assert told[0] is told[1] or body == b""


ODD: list[tuple[str, str, Any]] = [
    ("query", "null", ""),
    ("answer", "null", ""),
    ("answer", '["a"]', ""),
    ("id", "17", "17"),
    ("parent_message_id", "4", "4"),
    ("status", "5", "5"),
    ("error", '{"why":"x"}', None),
    ("inputs", "[]", None),
    ("inputs", '{"a":NaN,"b":-Infinity}', {"a": None, "b": None}),
    ("answer", r'"half \ud83d of it"', "half \ufffd of it"),
    ("feedback", '"like"', None),
    ("message_files", '[null,{"id":"f"}]', [{"id": "f"}]),
    ("agent_thoughts", "[null]", []),
    ("retriever_resources", "{}", None),
    ("created_at", '"soon"', None),
    ("created_at", "1" + "0" * 30, None),
]


@pytest.mark.parametrize(("name", "told", "wanted"), ODD)
def test_an_odd_field_of_one_message_takes_nothing_else_with_it(name: str, told: str, wanted: Any) -> None:
    fields = {"id": '"m"', "query": '"q"', "answer": '"a"', name: told}
    odd = ",".join(f'"{key}":{value}' for key, value in fields.items())
    body = ('{"data":[{"id":"before"},{' + odd + '},{"id":"behind"}],"has_more":true}').encode()
    page = models.decode(models.MessagePage, body)
    assert page.has_more
    before, message, behind = page.data
    assert (before.id, behind.id) == ("before", "behind")
    assert getattr(message, name) == wanted
    if wanted is None or name == "message_files":
        assert name in message.extra  # as it came
    rows = models.decode(models.MessageRows, body).data
    assert item_rows.message_batches(rows) == item_rows.message_batches(page.data)


def test_odd_conversations_ratings_and_annotations_are_read() -> None:
    (talk,) = models.decode(models.ConversationPage, b'{"data":[{"id":"c","name":null,"inputs":"x"}]}').data
    assert (talk.id, talk.name, talk.inputs, talk.extra["inputs"]) == ("c", "", None, "x")
    (rating,) = models.decode(models.FeedbackPage, b'{"data":[{"id":7,"rating":true,"created_at":"?"}]}').data
    assert (rating.id, rating.rating, rating.created_at) == ("7", None, None)
    (note,) = models.decode(models.AnnotationPage, b'{"data":[{"id":"a","hit_count":"many","question":{}}]}').data
    assert (note.id, note.hit_count, note.question, note.extra["hit_count"]) == ("a", None, None, "many")


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows with what is there alone; times as ISO text."""
    return [
        {
            name: value.isoformat() if isinstance(value, pd.Timestamp) else value
            for name, value in row.items()
            if not pd.isna(value)
        }
        for row in frame.astype(object).to_dict("records")
    ]


# -- a second reading ------------------------------------------------------------------------


def iso(told: Any) -> str:
    if isinstance(told, str):
        return told + "+00:00"
    return datetime.fromtimestamp(told, UTC).isoformat()


def present(**row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def unsigned(text: str) -> str:
    """As the server wrote it, where it signed nothing; else with each value of a signature replaced."""
    for name in ("nonce=", "sign="):
        parts = text.split(name)
        text = name.join([parts[0], *["-" + re.sub(r'^[^"&)]*', "", part) for part in parts[1:]]])
    return text


def inputs(told: Any) -> str:
    return unsigned(json.dumps(told, ensure_ascii=False, separators=(",", ":")))


def conversation(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield (
        "conversations",
        present(
            conversation_id=item["id"],
            user="me",
            created_at=iso(item["created_at"]),
            updated_at=iso(item["updated_at"]),
            status=item["status"],
            name=item["name"],
            introduction=item["introduction"],
            inputs=inputs(item["inputs"]),
        ),
    )


def message(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    answer, reasoning = item["answer"], None
    if "<think>" in answer:
        before, _, rest = answer.partition("<think>")
        reasoning, _, after = rest.partition("</think>")
        answer, reasoning = before + after.lstrip("\n"), reasoning.strip()
    base = {"message_id": item["id"], "conversation_id": item["conversation_id"], "user": "me"}
    yield (
        "messages",
        present(
            **base,
            created_at=iso(item["created_at"]),
            status=item["status"],
            rating=(item["feedback"] or {}).get("rating"),
            error=item["error"],
            query=item["query"],
            answer=unsigned(answer),
            reasoning=reasoning,
            inputs=inputs(item["inputs"]),
            **usage(item),
        ),
    )
    for thought in item["agent_thoughts"]:
        tool = thought["tool"] or None  # never several in the recordings
        given = json.loads(thought["tool_input"]) if tool else None
        given = given.get(tool, given) if given else given
        seen = thought["observation"]
        label = (thought["tool_labels"] or {}).get(tool)
        yield (
            "thoughts",
            present(
                **base,
                thought_id=thought["id"],
                call=0,
                position=thought["position"],
                tool=tool,
                tool_label=label and label["en_US"],
                created_at=iso(thought["created_at"]),
                thought=thought["thought"],
                answer=thought.get("answer") or None,
                input=given and json.dumps(given, separators=(",", ":")),
                output=(json.loads(seen)[tool] if seen.startswith("{") else seen) if tool else None,
                tools_raw=tool,
                input_raw=thought["tool_input"] or None,
                output_raw=thought["observation"] or None,
            ),
        )
    for cited in item["retriever_resources"]:
        names = (
            "position score dataset_id dataset_name document_id document_name segment_id segment_position hit_count "
            "word_count data_source_type content"
        )
        yield "citations", present(**base, **{name: cited[name] for name in names.split()})
    for file in item["message_files"]:
        yield (
            "files",
            present(
                **base,
                file_id=file["id"],
                upload_file_id=file.get("upload_file_id"),
                type=file["type"],
                belongs_to=file["belongs_to"],
                transfer_method=file["transfer_method"],
                name=file["filename"],
                mime_type=file["mime_type"],
                size=None if file["size"] < 0 else file["size"],
                url=file["url"].partition("?")[0],
            ),
        )


    for asked in item.get("extra_contents", ()):
        yield "forms", present(**base, **form(asked, item["status"]))


def usage(item: dict[str, Any]) -> dict[str, Any]:
    """What Dify 1.16 tells of it."""
    if "total_tokens" not in item:
        return {}
    return {
        "prompt_tokens": item["message_tokens"],
        "completion_tokens": item["answer_tokens"],
        "total_tokens": item["total_tokens"],
        "total_price": float(item["total_price"]),
        "currency": item["currency"],
        "latency": item["provider_response_latency"],
        "usage_from": "server",
    }


def form(item: dict[str, Any], status: str) -> dict[str, Any]:
    asked, answer = item["form_definition"], item["form_submission_data"] or {}
    definition = {name: value for name, value in asked.items() if name != "form_token"}
    return {
        "workflow_run_id": item["workflow_run_id"],
        "form_id": asked["form_id"],
        "node_id": asked["node_id"],
        "node_title": asked["node_title"],
        "status": "filled" if item["submitted"] else {"paused": "waiting"}.get(status, "timeout"),
        "submitted": item["submitted"],
        "action_id": answer.get("action_id"),
        "action_text": answer.get("action_text"),
        "expires_at": iso(asked["expiration_time"]),
        "content": asked["form_content"],
        "rendered_content": answer.get("rendered_content"),
        "inputs": json.dumps(answer["submitted_data"], separators=(",", ":")) if answer else None,
        "definition": json.dumps(definition, ensure_ascii=False, separators=(",", ":")),
    }


def variable(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    typed = item["value"] if item["value_type"] == "string" else json.loads(item["value"].replace("'", '"'))
    yield (
        "variables",
        present(
            conversation_id="c",
            user="me",
            variable_id=item["id"],
            name=item["name"],
            value_type=item["value_type"],
            created_at=iso(item["created_at"]),
            updated_at=iso(item["updated_at"]),
            value=json.dumps(typed, ensure_ascii=False, separators=(",", ":")),
            value_raw=item["value"],
            description=item["description"],
        ),
    )


def feedback(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield (
        "feedbacks",
        present(
            feedback_id=item["id"],
            message_id=item["message_id"],
            conversation_id=item["conversation_id"],
            rating=item["rating"],
            from_source=item["from_source"],
            end_user_id=item["from_end_user_id"],
            account_id=item["from_account_id"],
            created_at=iso(item["created_at"]),
            updated_at=iso(item["updated_at"]),
            content=item["content"],
        ),
    )


def annotation(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield (
        "annotations",
        present(
            annotation_id=item["id"],
            created_at=iso(item["created_at"]),
            hit_count=item["hit_count"],
            question=item["question"],
            answer=item["answer"],
        ),
    )


SECOND = {
    "conversations.list": conversation,
    "messages.list": message,
    "conversations.variables": variable,
    "app.feedbacks": feedback,
    "annotations.list": annotation,
}


@pytest.mark.parametrize("case", answered())
def test_every_cell_of_every_recorded_list(case: str) -> None:
    name, body = answered()[case]
    wanted: dict[str, list[dict[str, Any]]] = {kind: [] for kind in LISTS[name][1]}
    for item in json.loads(body)["data"]:
        for kind, row in SECOND[name](item):
            wanted[kind].append(row)
    assert {kind: plain(frame) for kind, frame in made(case).items()} == wanted


def test_no_token_of_a_form_is_in_a_table() -> None:
    """The recordings have made-up ones in the places of real ones."""
    told = {case: body for case, (_, body) in answered().items() if b'"form_token":"' in body}
    assert set(told) == {"1.16.1/messages__humanflow-paused"}
    for case, body in told.items():
        for token in re.findall(rb'"form_token":"([^"]+)"', body):
            text = "".join(frame.astype("string").fillna("").to_csv() for frame in made(case).values())
            assert token.decode() not in text
            assert "form_token" not in text


# -- what a person checked ------------------------------------------------------------------


def totals(group: str) -> Totals:
    """What the tables of a group of recordings hold in all. The same message may come in several of them."""
    cases = [case for case in answered() if case.split("__")[0] + " " + answered()[case][0] == group]
    found: dict[str, list[pd.DataFrame]] = {}
    for case in cases:
        for kind, frame in made(case).items():
            found.setdefault(kind, []).append(frame)
    whole = {kind: dataframes.concat(frames.SCHEMA[kind], parts) for kind, parts in found.items()}
    counts: Counter[str] = Counter()
    for kind, frame in whole.items():
        if len(frame):
            counts[kind] = len(frame)
            counts[f"different {kind}"] = len(frame.drop_duplicates(frames.SCHEMA[kind].columns[0].name))
    first = last = ""
    if len(times := next(iter(whole.values()))["created_at"]):
        first, last = times.min().strftime("%H:%M:%S"), times.max().strftime("%H:%M:%S")
    words: dict[str, int] = {}
    if "messages" in whole:
        for column in ("status", "rating"):
            words |= whole["messages"][column].value_counts().loc[lambda n: n > 0].to_dict()
        words |= {f"tool {name}": n for name, n in whole["thoughts"]["tool"].value_counts().to_dict().items()}
        if reasoned := int(whole["messages"]["reasoning"].notna().sum()):
            words["reasoning"] = reasoned
        if empty := int((whole["messages"]["answer"] == "").sum()):
            words["no answer"] = empty
    return Totals(len(cases), dict(counts), words, first, last)


@pytest.mark.parametrize("group", TOTALS)
def test_totals_are_what_a_person_counted(group: str) -> None:
    assert totals(group) == TOTALS[group]


def test_every_group_is_counted() -> None:
    assert {case.split("__")[0] + " " + name for case, (name, _) in answered().items()} == set(TOTALS)


@pytest.mark.parametrize(("case", "kind", "place"), ROWS)
def test_rows_are_what_a_person_read(case: str, kind: str, place: int) -> None:
    assert plain(made(case)[kind])[place] == ROWS[case, kind, place]


def test_no_recorded_signature_is_in_a_table() -> None:
    for case in answered():
        for kind, frame in made(case).items():
            text = frame.astype("string").fillna("").to_csv()
            assert "sign=" not in text.replace("sign=-", ""), (case, kind)
