"""How many cases go to a server at once, and how long a refused one waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dify_notebook.errors import (
    APIError,
    AuthenticationError,
    ConnectError,
    DifyError,
    InputError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TimeoutException,
)
from dify_notebook.sweep.asking.ends import Failure, ends_target
from dify_notebook.sweep.asking.pace import START, STEP, Pace, Retries, refused, surely_unsent


def grown(limit: int, taken: int) -> Pace:
    pace = Pace(limit)
    for _ in range(taken):
        pace.taken()
    return pace


@pytest.mark.parametrize(
    ("limit", "taken", "allowed"), [(1, 0, 1), (1, 9, 1), (64, 0, START), (64, 4, START + 4), (64, 60, 64), (64, 99, 64)]
)
def test_until_the_first_refusal_each_that_is_taken_allows_one_more(limit: int, taken: int, allowed: int) -> None:
    assert grown(limit, taken).allowed == allowed


def test_a_refusal_halves_and_then_it_grows_slowly() -> None:
    pace = grown(64, 60)
    ticket = pace.enter()
    pace.refused(ticket, 0.0)
    assert pace.allowed == 32
    for _ in range(STEP * 32):
        assert pace.allowed == 32
        pace.taken()
    assert pace.allowed == 33


def test_refusals_of_what_went_out_before_a_halving_are_one() -> None:
    pace = grown(16, 12)
    tickets = [pace.enter() for _ in range(16)]
    for ticket in tickets:
        pace.refused(ticket, 0.0)
    assert pace.allowed == 8
    later = pace.enter()
    pace.refused(later, 0.0)
    assert pace.allowed == 4


def test_nobody_begins_while_the_server_wants_peace() -> None:
    pace = Pace(8)
    pace.refused(pace.enter(), 100.0, 5.0)
    pace.leave()
    assert [pace.has_room(now) for now in (100.0, 104.9, 105.0)] == [False, False, True]
    pace.refused(pace.enter(), 101.0, 1.0)  # a shorter wait takes none of the longer one back
    pace.leave()
    assert not pace.has_room(104.0)


@given(st.integers(1, 128), st.lists(st.sampled_from(["begin", "taken", "refused", "left"]), max_size=200))
def test_never_fewer_than_one_and_never_more_than_the_limit(limit: int, steps: list[str]) -> None:
    pace, tickets = Pace(limit), []
    for step in steps:
        if step == "begin" and pace.has_room(0.0):
            tickets.append(pace.enter())
        elif step == "taken":
            pace.taken()
        elif tickets and step == "refused":
            before = pace.allowed
            pace.refused(tickets[-1], 0.0)
            assert pace.allowed in (before, max(1, before // 2))
        elif tickets and step == "left":
            tickets.pop()
            pace.leave()
        assert 1 <= pace.allowed <= limit
        assert pace.active == len(tickets) <= limit


@given(st.integers(1, 20), st.none() | st.floats(0, 1_000), st.floats(0, 1))
def test_waits_are_bounded_and_obey_the_server(tries: int, retry_after: float | None, chance: float) -> None:
    retries = Retries(tries=10, first=0.5, longest=30, obeyed=300)
    wait = retries.wait(tries, retry_after, chance)
    if tries >= 10 or (retry_after or 0) > 300:
        assert wait is None
        return
    assert wait is not None
    full = min(0.5 * 2 ** (tries - 1), 30)
    assert full / 2 <= wait <= max(full, (retry_after or 0) + 0.5)
    assert wait >= (retry_after or 0)


def test_a_server_that_asks_for_no_wait_uses_up_no_tries_at_once() -> None:
    retries = Retries()
    waits = [retries.wait(tries, 0.0, 0.5) or 0 for tries in range(1, retries.tries)]
    assert waits == [retries.wait(tries, None, 0.5) for tries in range(1, retries.tries)]


RATE = RateLimitError("Too many requests", status=429)
PATIENT = RateLimitError("later", status=429)
PATIENT.retry_after = 301.0


@pytest.mark.parametrize(
    ("error", "again", "unasked"),
    [
        (RATE, True, True),
        (RateLimitError("Too many requests", status=400), True, True),
        (ConnectError("", code="connect"), True, True),
        (ConnectError("", code="proxy"), True, True),
        (ConnectError("", code="tls"), False, False),
        (ConnectError("", code="connection"), False, False),
        (TimeoutException("", code="timeout"), False, False),
        (ServerError("", status=500), False, False),
        (ServerError("", code="not_json", status=502), False, False),
        (AuthenticationError("", status=401), False, True),
        (APIError("", status=400), False, True),
        (InputError("", code="file"), False, True),
    ],
)
def test_only_what_surely_did_not_arrive_is_asked_again(error: DifyError, again: bool, unasked: bool) -> None:
    assert (surely_unsent(error), refused(error)) == (again, unasked)
    assert not refused(None)


FORM = "x is required in input form"


@pytest.mark.parametrize(
    ("failure", "error", "at_first", "after_taken", "after_answer"),
    [
        (Failure("unauthorized", ""), AuthenticationError("", status=401), True, True, True),
        (Failure("forbidden", ""), AuthenticationError("", status=403), True, True, True),
        (Failure("not_json", ""), AuthenticationError("", status=403), True, False, False),
        (Failure("not_found", ""), NotFoundError("", status=404), True, False, False),
        (Failure("app_unavailable", ""), APIError("", code="app_unavailable", status=400), True, True, True),
        (Failure("app_unavailable", ""), None, True, True, False),
        (Failure("input", ""), InputError("", code="input"), True, True, False),
        (Failure("file", ""), InputError("", code="file"), False, False, False),
        (Failure("invalid_param", FORM), APIError(FORM, status=400), True, True, False),
        (Failure("invalid_param", FORM), None, True, True, False),
        (Failure("invalid_param", "too long"), APIError("too long", status=400), False, False, False),
        (Failure("too_many_requests", ""), RATE, False, False, False),
        (Failure("too_many_requests", ""), PATIENT, True, True, True),
        (Failure("connect", ""), ConnectError("", code="connect"), True, True, True),
        (Failure("tls", ""), ConnectError("", code="tls"), True, True, True),
        (Failure("connection", ""), ConnectError("", code="connection"), False, False, False),
        (Failure("internal_server_error", ""), ServerError("", status=500), False, False, False),
    ],
)
def test_what_ends_a_target(
    failure: Failure, error: DifyError | None, at_first: bool, after_taken: bool, after_answer: bool
) -> None:
    states = ((False, False), (True, False), (True, True))
    found = [ends_target(failure, error, taken=taken, answered=answered, obeyed=300.0) for taken, answered in states]
    assert found == [at_first, after_taken, after_answer]
