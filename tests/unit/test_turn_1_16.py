"""What Dify 1.13 to 1.17 say in their own way: agents, reasoning by node, rounds, replacements, warnings, pauses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from contract.streams import load

from dify_notebook.errors import TurnFailed, raise_for_turn
from dify_notebook.net.responses import blocking_events
from dify_notebook.secret import Secret
from dify_notebook.turn.fold import fold_all
from dify_notebook.turn.state import Turn
from dify_notebook.views import bundle, facts
from dify_notebook.views.words import Words
from dify_notebook.wire import events as ev
from dify_notebook.wire.decoder import decode
from dify_notebook.wire.sse import Splitter

IDS: dict[str, Any] = {"task_id": "t", "message_id": "m", "conversation_id": "c"}


def recorded(case: str) -> list[ev.Event]:
    return [decode(frame) for frame in Splitter().feed(load()[f"1.16.1/{case}"].body)]


def said(text: str) -> ev.AgentMessage:
    return ev.AgentMessage(answer=text, **IDS)


def closing(text: str) -> ev.Message:
    return ev.Message(answer=text, **IDS)


def thought(key: str, **more: Any) -> ev.AgentThought:
    return ev.AgentThought(id=key, **more, **IDS)


def end(**metadata: Any) -> ev.MessageEnd:
    return ev.MessageEnd(metadata=metadata, **IDS)


# -- agents ----------------------------------------------------------------------------


def test_an_agent_of_the_new_kind_is_known_by_how_it_closes() -> None:
    turn = fold_all([*recorded("chat-messages-new-agent__roster-agent-tool"), ev.StreamEnd()])
    assert turn.app_mode == "agent"
    assert [(step.thought, step.answer, step.tool) for step in turn.thoughts or ()] == [
        ("I should look.", "", ""),
        ("", "Let me look. ", ""),
        ("", "", "current_time"),
        ("", "", ""),
    ]
    assert fold_all(recorded("chat-messages__agent-chat-plain")).app_mode == "agent-chat"


def test_while_it_works_all_that_it_says_is_seen() -> None:
    events = recorded("chat-messages-new-agent__roster-agent-tool")
    at = next(index for index, event in enumerate(events) if isinstance(event, ev.Message))
    assert fold_all(events[:at]).answer == "Let me look. It is twelve. Done 你好. "


def test_what_it_said_before_a_tool_is_shown_with_its_step_and_once() -> None:
    turn = fold_all([*recorded("chat-messages-new-agent__roster-agent-tool"), ev.StreamEnd()])
    assert [facts.step_text(step) for step in facts.steps(turn)] == ["I should look.", "Let me look.", ""]
    for text in bundle(turn).values():
        assert text.count("Let me look.") == 1
        assert text.count("It is twelve.") == 1


@pytest.mark.parametrize(
    ("before", "answer", "expected"),
    [
        # Whatever closes is the answer, also where it was never streamed: a question to a person, say.
        ([thought("a"), said("Let me look. ")], "May I?", ["Let me look. "]),
        ([said("Let me look. ")], "May I?", ["Let me look. "]),
        # The last step's text is the answer, however it was cut into pieces and whatever blanks stand around it.
        ([thought("a"), said("One. "), thought("b"), said("Tw"), said("o.\n")], "Two.", ["One. ", ""]),
        ([thought("a"), said("One. Two. ")], "Two.", ["One. "]),
        ([thought("a"), said("One. "), thought("b"), said("Two.")], "One. Two.", ["", ""]),
        # What only ends like the answer is not it.
        ([thought("a"), said("Let me book")], "ok", ["Let me book"]),
        # Some said something before any step was told.
        ([said("Hm. "), thought("a"), thought("b"), said("One.")], "Two.", ["Hm. ", "One."]),
    ],
)
def test_each_step_has_what_was_said_in_it(before: list[ev.Event], answer: str, expected: list[str]) -> None:
    turn = fold_all([*before, closing(answer), end(), ev.StreamEnd()])
    assert (turn.answer, turn.status, turn.complete) == (answer, "succeeded", True)
    assert [step.answer for step in turn.thoughts or ()] == expected
    assert [step.offset for step in turn.thoughts or ()] == [None] * len(expected)


def test_only_one_message_closes() -> None:
    turn = fold_all([thought("a"), said("One. "), closing("Two. "), closing("Three."), end()])
    assert turn.answer == "Two. Three."


# -- reasoning -------------------------------------------------------------------------


def piece(text: str, node: str | None = None, **more: Any) -> ev.ReasoningChunk:
    data = {"reasoning": text} | ({} if node is None else {"node_id": node})
    return ev.ReasoningChunk(data=data | more, **IDS)


def test_reasoning_is_kept_by_node() -> None:
    events = recorded("chat-messages__thinkflow-hi")
    turn = fold_all(events)
    assert turn.reasoning_by_node == {"llm": "\nFirst I think.\nThen I think more.\n"}
    chunks = [event for event in events if isinstance(event, ev.ReasoningChunk)]
    assert {event.node_id for event in chunks} == {"llm"}
    assert [(event.data or {})["is_final"] for event in chunks] == [False] * 8 + [True]


@pytest.mark.parametrize(
    ("streamed", "told", "expected"),
    [
        ([], {"a": "One."}, "One."),
        ([], {"a": "One.", "b": "Two."}, "One.\n\nTwo."),
        ([piece("\nOne.\n", "a")], {"a": "One."}, "One."),
        # Cut by a lost connection: what the end tells is the whole.
        ([piece("On", "a")], {"a": "One."}, "One."),
        ([piece("One.", "a"), piece("Tw", "b")], {"a": "One.", "b": "Two."}, "One.\n\nTwo."),
        # Two nodes at once.
        ([piece("O", "a"), piece("T", "b"), piece("ne.", "a"), piece("wo.", "b")], {"a": "One.", "b": "Two."}, "OTne.wo."),
        # Servers that name no node.
        ([piece("One.")], {"a": "One."}, "One."),
        ([piece("On")], {"a": "One."}, "One."),
        ([piece("Zero.")], {"a": "One."}, "Zero.\n\nOne."),
        # It stands in the answer.
        ([ev.Message(answer="<think>One.</think>Hi", **IDS)], {"a": "One."}, "One."),
        ([], {"a": "", "b": None}, ""),
        ([], ["One."], ""),
    ],
)
def test_the_reasoning_that_the_end_tells_is_taken_once(streamed: list[ev.Event], told: Any, expected: str) -> None:
    turn = fold_all([*streamed, end(reasoning=told)])
    assert turn.reasoning == expected
    assert fold_all([end(reasoning=told)], turn).reasoning == expected


# -- who said it, rounds, files --------------------------------------------------------


def test_which_node_said_what() -> None:
    texts = [event for event in recorded("chat-messages__multianswer-go") if event.answer_text]
    spoken = {node: "".join(event.answer_text or "" for event in texts if event.node_id == node) for node in ("a", "ans1")}
    assert spoken == {"a": "word0 word1 word2 word3 word4", "ans1": "First: \n"}
    assert recorded("chat-messages__basic-chat-md")[0].node_id is None
    chunk = next(event for event in recorded("workflows-run-by-id__workflow-by-id") if isinstance(event, ev.TextChunk))
    assert chunk.node_id == "llm"
    for selector in (["", 1], [1], "a.b", {"a": 1}, [], [["x"]]):
        assert decode(("", msgspec.json.encode({"event": "message", "from_variable_selector": selector}))).node_id is None


def test_a_loop_has_the_rounds_that_ran() -> None:
    nodes = fold_all(recorded("chat-messages__richflow-please-words-5")).nodes or ()
    loop = next(node for node in nodes if node.kind == "loop")
    assert (loop.length, [one.index for one in loop.rounds]) == (3, [0, 1])
    assert [one.elapsed for one in loop.rounds] == [0.065306, 0.06042]
    assert loop.rounds[0].started_at == loop.started_at
    assert [node.round for node in nodes if node.parent == loop.id] == [0, 1]


def test_a_file_is_told_with_what_stands_for_it() -> None:
    (file,) = fold_all(recorded("chat-messages-files__fileflow-files")).files or ()
    assert (file.id, file.name, file.extension) == ("f3ab9f7b-dfed-464e-94f5-a148833b0738", "a.txt", ".txt")
    assert (file.reference or "").startswith("dify-file-ref:")
    told = {"related_id": "r", "url": "", "remote_url": "http://x/y.png", "transfer_method": "remote_url"}
    (far,) = fold_all([ev.WorkflowFinished(data={"status": "succeeded", "files": [told, told]})]).files or ()
    assert (far.id, far.url) == ("r", "http://x/y.png")


# -- replacements and warnings ---------------------------------------------------------


def test_the_text_of_a_workflow_app_is_replaced() -> None:
    event = decode(("", b'{"event":"text_replace","task_id":"t","data":{"text":"No."}}'))
    turn = fold_all([ev.TextChunk(data={"text": "bad"}), event])
    assert (turn.answer, turn.replaced) == ("No.", True)


@pytest.mark.parametrize(
    ("reason", "run", "replaced"),
    [
        ("output_moderation", True, True),
        (None, True, True),  # Dify 0.15 names no reason
        ("", False, True),  # nor do chat apps
        ("", True, False),  # the state of a run so far
    ],
)
def test_a_state_that_is_told_is_no_moderation(reason: str | None, run: bool, replaced: bool) -> None:
    begun = [ev.WorkflowStarted(workflow_run_id="w", data={"id": "w"}, **IDS)] if run else []
    turn = fold_all([*begun, ev.MessageReplace(answer="x", reason=reason, **IDS)])
    assert (turn.answer, turn.replaced) == ("x", replaced)


@pytest.mark.parametrize("told", [b'"careful \\u001b[31m"', b'{"message":"careful","code":1}', b'{"x":"careful"}', b'["careful"]'])
def test_a_warning_of_the_server_is_one(told: bytes) -> None:
    event = decode(("", b'{"event":"warning","warning":' + told + b"}"))
    turn = fold_all([event, ev.Message(answer="a", **IDS), end(), ev.StreamEnd()])
    assert (turn.status, turn.complete, [warning.code for warning in turn.warnings]) == ("succeeded", True, ["server"])
    (notice,) = facts.notices(turn, Words("en"))
    assert "careful" in notice.detail
    assert "\x1b" not in notice.detail


# -- pauses ----------------------------------------------------------------------------


def test_a_pause_in_one_piece_is_one() -> None:
    form = {
        "TYPE": "human_input_required", "form_id": "f", "form_content": "Check", "node_id": "ask", "node_title": "Ask",
        "inputs": [{"output_variable_name": "note", "type": "paragraph"}],
        "actions": [{"id": "approve", "title": "Approve"}], "form_token": "secret-of-the-form",
    }  # fmt: skip
    body = {
        "event": "workflow_paused", "task_id": "t", "id": "m", "message_id": "m", "conversation_id": "c",
        "workflow_run_id": "w", "mode": "advanced-chat", "answer": "Draft: ", "created_at": 1,
        "metadata": {"reasoning": {"llm": "Hm."}},
        "data": {"reasons": [form], "paused_nodes": ["ask"], "status": "paused", "workflow_run_id": "w"},
    }  # fmt: skip
    turn: Turn = fold_all(blocking_events(msgspec.json.encode(body), 1.0))
    assert (turn.status, turn.end, turn.complete, turn.answer, turn.reasoning) == ("paused", "paused", True, "Draft: ", "Hm.")
    assert (turn.message_id, turn.conversation_id, turn.task_id, turn.workflow_run_id) == ("m", "c", "t", "w")
    assert [(one.id, one.status, one.title, one.node_id) for one in turn.forms] == [("f", "waiting", "Ask", "ask")]
    assert isinstance(turn.forms[0].token, Secret)
    assert "secret-of-the-form" not in repr(turn) + repr(turn.forms) + "".join(map(str, bundle(turn).values()))
    raise_for_turn(turn)


def test_a_pause_may_tell_the_run_where_it_tells_all_else() -> None:
    body = b'{"event":"workflow_paused","answer":null,"data":{"workflow_run_id":"w","message_id":"m","conversation_id":"c"}}'
    turn = fold_all(blocking_events(body, 1.0))
    assert (turn.status, turn.workflow_run_id, turn.message_id, turn.conversation_id) == ("paused", "w", "m", "c")


# -- errors and apps -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "begins"),
    [("chat-messages-llm-errors__plain-chat-other", "{"), ("chat-messages-llm-errors__chatflow-other", "req_id")],
)
def test_what_a_model_raised_is_told_in_its_words(case: str, begins: str) -> None:
    turn = fold_all([*recorded(case), ev.StreamEnd()])
    assert turn.error is not None
    assert turn.error.message.startswith(begins)
    assert [notice.detail for notice in facts.notices(turn, Words("en"))] == ["[stub] something else"]
    with pytest.raises(TurnFailed, match=r"(?m): \[stub\] something else$") as raised:
        raise_for_turn(turn)
    assert raised.value.message == turn.error.message


def test_a_run_that_failed_before_it_began_is_no_workflow_app_s() -> None:
    """A chatflow's run that never began has no conversation, as a workflow app's has none."""
    assert fold_all(recorded("chat-messages-errors__fileflow-no-must")).app_mode is None
    assert fold_all(recorded("workflows-run__failworkflow-streaming")).app_mode == "workflow"
    assert fold_all(recorded("chat-messages__failflow-go")).app_mode == "advanced-chat"


# -- runs that end while nobody listens --------------------------------------------------


def paused_and_ended(*later: ev.Event, status: str = "succeeded") -> Turn:
    """A run that paused at two forms, was read on, and told nothing more than its end, as a finished one does."""
    ids = {**IDS, "workflow_run_id": "r"}
    asking: list[ev.Event] = [ev.WorkflowStarted(data={"id": "r"}, **ids)]
    for name in ("left", "right"):
        asking.append(ev.NodeStarted(data={"id": f"run-{name}", "node_id": name, "node_type": "human-input"}, **ids))
        asking.append(ev.HumanInputRequired(data={"form_id": f"form-{name}", "node_id": name}, **ids))
    asking.append(ev.WorkflowPaused(data={"status": "paused"}, **ids))
    answered = ev.Continued(answered={"form-left": {"action": "yes", "inputs": {}}})
    ended = ev.WorkflowFinished(data={"id": "r", "status": status, "outputs": {"answer": "done"}}, **ids)
    return fold_all([*asking, answered, ended, *later, ev.StreamEnd()])


def statuses(turn: Turn) -> dict[str | None, str]:
    return {node.node_id: node.status for node in turn.nodes or ()}


def test_no_node_waits_after_the_end_of_its_run() -> None:
    assert statuses(paused_and_ended()) == {"left": "succeeded", "right": "unknown"}
    assert statuses(paused_and_ended(status="failed")) == {"left": "succeeded", "right": "unknown"}


@pytest.mark.parametrize("status", ["filled", "timeout"])
def test_what_the_history_knows_of_a_form_is_known_of_its_node(status: str) -> None:
    form = {"form_id": "form-right", "status": status, "action": "yes", "inputs": {}, "content": ""}
    assert statuses(paused_and_ended(ev.Stored(forms=[form]))) == {"left": "succeeded", "right": "succeeded"}


def test_what_is_missing_of_a_run_is_said_once() -> None:
    missing = ev.Resumed(code="nodes", message="some")
    turn = paused_and_ended(missing, ev.Resumed(message="lost"), missing, ev.Resumed(message="lost again"))
    assert [warning.code for warning in turn.warnings] == ["nodes", "followed", "followed"]
