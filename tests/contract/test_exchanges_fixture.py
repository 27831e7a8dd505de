"""The recordings are there, whole and harmless, and each has its line in the table."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest
from contract import streams
from contract.exchanges import load_exchanges, operation
from contract.expected_exchanges import EXPECTED, TABLE
from contract.expected_outcomes import Done, Expected, Json, Refused
from contract.test_streams_fixture import SECRETS

from dify_notebook import errors

PLACEHOLDERS = re.compile(rb"\b(?:app|dataset)-(?:golden|BAD|xxxx)\b")


def test_every_exchange_has_one_line_in_the_table() -> None:
    assert len(TABLE) == len(EXPECTED) == len(load_exchanges()) == 1939
    assert EXPECTED.keys() == load_exchanges().keys()


def test_no_exchange_is_also_among_the_streams() -> None:
    assert not load_exchanges().keys() & (streams.load().keys() | streams.load_plain().keys())


def test_loading_is_done_once() -> None:
    assert load_exchanges() is load_exchanges()


def test_counts() -> None:
    exchanges = load_exchanges().values()
    assert Counter(it.case.split("/")[0] for it in exchanges) == {"0.15.3": 681, "1.12.1": 1101, "1.16.1": 157}
    assert Counter(it.status for it in exchanges) == {
        200: 1147, 201: 52, 204: 13, 400: 373, 401: 20, 403: 10, 404: 256, 405: 8, 412: 1, 413: 5, 415: 21, 500: 32,
        502: 1,
    }  # fmt: skip
    assert Counter(it.ended for it in exchanges) == {"content-length": 1910, "last-chunk": 16, "eof": 13}


def test_bodies() -> None:
    for case, it in load_exchanges().items():
        assert it.case == case
        assert bool(it.body) == (it.status != 204), case
        assert (it.ended == "eof") == (it.status == 204), case
        length = it.header("content-length")
        assert length is None or int(length) == len(it.body), case
    speech = load_exchanges()["1.12.1/text-to-audio__basic-chat-message"]
    assert [len(chunk) for _, chunk in speech.chunks] == [1024, 1024, 1024, 1024, 311]
    picture = load_exchanges()["1.12.1/files-preview__chatflow-ok"]
    assert picture.body.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.body in (load_exchanges()["1.12.1/files-upload__basic-chat-png"].request.body or b"")


def test_operations_cover_the_client() -> None:
    found = {operation(it.request) for it in load_exchanges().values()} - {None}
    assert found == {
        "annotations.create", "annotations.delete", "annotations.disable_reply", "annotations.enable_reply",
        "annotations.list", "annotations.reply_status", "annotations.update", "app.feedbacks", "app.info",
        "app.meta", "app.parameters", "app.site", "audio.from_text", "audio.to_text", "chat.resume", "chat.send", "chat.stop",
        "completion.send", "completion.stop",
        "conversations.delete", "conversations.list", "conversations.rename", "conversations.set_variable",
        "conversations.variables", "end_users.get", "files.download", "files.upload", "forms.get", "forms.submit",
        "messages.feedback", "messages.list", "messages.suggested", "workflows.get", "workflows.logs", "workflows.run",
        "workflows.stop",
    }  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.case)
def test_a_line_fits_its_recording(row: Expected) -> None:
    it = load_exchanges()[row.case]
    assert row.call in (None, operation(it.request))
    assert (row.call is None) == bool(row.why)
    assert row.call is None or not row.refuses
    if isinstance(row.outcome, Refused):
        assert row.outcome.status == it.status
        assert issubclass(getattr(errors, row.outcome.kind), errors.APIError)
        if row.outcome.code is not None:
            assert f'"{row.outcome.code}"'.encode() in it.body
    elif isinstance(row.outcome, Done | Json):
        assert row.outcome.status == it.status
        assert isinstance(row.outcome, Done) or operation(it.request) is None
    else:
        assert it.status in (200, 201)
        for prefix in f"{getattr(row.outcome, 'id', '')} {getattr(row.outcome, 'ids', '')}".split():
            assert re.search(rf'id": ?"(?:[0-9a-f-]*-[0-9a-f]{{8}})?{prefix}'.encode(), it.body)


def test_times_are_those_of_the_recording() -> None:
    for case, row in EXPECTED.items():
        told = getattr(row.outcome, "created", "")
        if told:
            date = datetime.strptime(load_exchanges()[case].header("date") or "", "%a, %d %b %Y %H:%M:%S GMT")
            age = date.replace(tzinfo=UTC) - datetime.fromisoformat(told)
            assert -2 <= age.total_seconds() < 3 * 3600, case


def test_no_key_in_the_recordings() -> None:
    for case, it in load_exchanges().items():
        parts = [it.body, it.request.body or b"", it.request.path.encode()]
        parts += [f"{name}: {value}".encode() for name, value in it.headers]
        for part in parts:
            found = SECRETS.search(PLACEHOLDERS.sub(b"", part))
            assert found is None, f"{case}: {found and found.group()!r}"
