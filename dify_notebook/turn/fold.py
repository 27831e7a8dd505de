"""The one fold: what each event means for a turn.

`fold(turn, event) -> turn` is the law. A running answer is held by a `Builder`, which
obeys it (a test shows so) without copying the text for every token: it keeps pieces
and dicts by id, and gives a frozen `Turn` when asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec

from ..i18n import t
from ..wire import events as ev
from ..wire.kinds import AGENT, CHATFLOW, COMPLETION, NEW_AGENT, WORKFLOW
from .agent import Agent
from .convert import (
    as_citation,
    as_dict,
    as_file,
    as_float,
    as_int,
    as_size,
    as_text,
    as_time,
    as_usage,
    file_identity,
    files_in,
)
from .ends import ending, run_error, run_status
from .forms import answered, as_form, closed
from .nodes import Nodes
from .results import Result, result_of, usage_of_run
from .state import WELL, Audio, End, MessageFile, Node, Status, Timing, Turn, TurnError, Usage, Workflow
from .texts import Texts, same_text
from .warnings import Warnings


def fold(turn: Turn, event: ev.Event) -> Turn:
    """The turn after one more event."""
    builder = Builder(turn)
    builder.apply(event)
    return builder.turn()


def fold_all(events: Iterable[ev.Event], turn: Turn | None = None) -> Turn:
    """The turn after all these events, in time linear in their number."""
    builder = Builder(turn)
    for event in events:
        builder.apply(event)
    return builder.turn()


class Builder:
    """A turn in the making. Not safe for several threads at once; `net.shared_builder.SharedBuilder` is."""

    def __init__(self, turn: Turn | None = None) -> None:
        turn = turn or Turn(thoughts=(), logs=(), nodes=(), files=(), citations=(), timing=Timing())
        self._base = turn
        self._fields: dict[str, Any] = {}
        self._texts = Texts(turn, ended=not turn.running)
        self._warnings = Warnings(turn)
        self._agent = Agent(turn)
        self._nodes = Nodes(turn.nodes or (), self._warn)
        self._files = None if turn.files is None else list(turn.files)
        self._file_names = {name for item in turn.files or () if (name := file_identity(item)) is not None}
        self._forms = {item.id: item for item in turn.forms}
        self._audio: list[str] = list(turn.audio.chunks) if turn.audio else []
        self._audio_ended = bool(turn.audio and turn.audio.complete)
        self._continued_run = False
        self._outputs: Any = None
        self._result: Result | None = None  # of these outputs
        self._snapshot: Turn | None = turn
        self.version = 0
        """Grows with every event that changed something."""

    # -- reading -----------------------------------------------------------------

    def turn(self) -> Turn:
        """The turn as it is now; the same object until something changes."""
        if self._snapshot is None:
            texts, nodes, result = self._texts.snapshot(), self._nodes.all(), self._own_result()
            inline = (result and result.reasoning) or texts.inline
            has_audio = self._audio or self._audio_ended
            self._snapshot = self._base = msgspec.structs.replace(
                self._base,
                **{
                    **self._fields,
                    "answer": texts.answer if result is None else result.answer,
                    "answer_raw": texts.raw,
                    "reasoning": "\n\n".join(part for part in (texts.chunks.strip(), inline) if part),
                    "reasoning_chunks": texts.chunks,
                    "reasoning_by_node": texts.by_node,
                    "halves": tuple(sorted(self._texts.halves)),
                    "thoughts": self._agent.thoughts(),
                    "logs": self._agent.logs(),
                    "nodes": nodes,
                    "usage": self._usage(nodes),
                    "files": None if self._files is None else tuple(self._files),
                    "forms": tuple(self._forms.values()),
                    "audio": Audio(chunks=tuple(self._audio), complete=self._audio_ended) if has_audio else None,
                    "warnings": self._warnings.all(),
                },
            )
            self._fields = {}
        return self._snapshot

    def _own_result(self) -> Result | None:
        """What the run of a workflow app gave, which counts more than the text that was streamed of it.

        None where that text is all there is: no outputs were told, the run did not end well, or moderation replaced it.
        """
        workflow: Workflow | None = self._get("workflow")
        if workflow is None or self._get("app_mode") != WORKFLOW or self._get("replaced"):
            return None
        if workflow.outputs is not self._outputs:
            self._outputs, self._result = workflow.outputs, result_of(workflow.outputs)
        well = run_status(workflow) in ("succeeded", "partial_succeeded")
        return self._result if well or not self._texts.length else None

    def _usage(self, nodes: tuple[Node, ...]) -> Usage | None:
        """What the message's end told; of a workflow app, which has none, what its run and nodes did."""
        workflow: Workflow | None = self._get("workflow")
        if workflow is None or workflow.finished_at is None or self._get("app_mode") != WORKFLOW:
            return self._get("usage")  # type: ignore[no-any-return]
        return usage_of_run(nodes, workflow.total_tokens)

    @property
    def status(self) -> Status:
        return self._get("status")  # type: ignore[no-any-return]  # `_get` serves fields of any type; the same below

    @property
    def task_id(self) -> str | None:
        """By which it can be stopped; None while only the run's id stands in its place, which stops nothing."""
        task: str | None = self._get("task_id")
        return None if task == self._get("workflow_run_id") else task

    @property
    def conversation_id(self) -> str | None:
        return self._get("conversation_id")  # type: ignore[no-any-return]

    @property
    def unfinished_run(self) -> str | None:
        """Id of the run, where one was told to begin and none to end."""
        workflow: Workflow | None = self._get("workflow")
        ended = workflow is None or workflow.status != "running"
        # Since Dify 1.13 the run's end comes behind the message's.
        ended = ended or (self.status != "running" and self._get("end") != "message_end")
        return None if ended else self._get("workflow_run_id")

    def _get(self, name: str) -> Any:
        return self._fields[name] if name in self._fields else getattr(self._base, name)

    def _set(self, **values: Any) -> None:
        self._fields.update(values)

    # -- writing -----------------------------------------------------------------

    def apply(self, event: ev.Event) -> None:
        """Take the next event in."""
        handler = MEANINGS.get(type(event))
        if handler is None:  # a kind of event that someone added and forgot here
            raise TypeError(f"no meaning is written down for {type(event).__name__}")
        if isinstance(event, ev.ChatEvent):
            self._ids(event)
        if event.unread:
            self._warnings.unread(event.unread, event.at, self._texts.length)
        handler(self, event)
        if event.half:
            self._texts.halves.add("reasoning" if event.answer_text is None else "answer")
            if self._texts.ended:
                self._settle(event.at)
        self._snapshot = None
        self.version += 1

    def _ids(self, event: ev.ChatEvent) -> None:
        timing: Timing = self._get("timing") or Timing()
        if timing.first_event is None and type(event) is not ev.Ping:
            self._set(timing=msgspec.structs.replace(timing, first_event=event.at))
        # The state of a run so far has the run's id in its place (Dify 1.16); what is live tells the task's own.
        speech = isinstance(event, (ev.TtsMessage, ev.TtsMessageEnd))
        task = self._get("task_id")
        if event.task_id and (not task or (task == self._get("workflow_run_id") and not speech)):
            self._set(task_id=event.task_id)
        # The first ids that the wire tells are the turn's: message_end.id and the ids of
        # speech can differ. What was asked for gives way to what the server says.
        if event.conversation_id and (not self._get("conversation_id") or not self._get("message_id")):
            self._set(conversation_id=event.conversation_id)
        if event.message_id and not self._get("message_id"):
            self._set(message_id=event.message_id)
        if event.created_at is not None and self._get("created_at") is None:
            self._set(created_at=as_time(event.created_at))
        if event.message_id:
            self._learn_mode_of_message(event)

    def _learn_mode_of_message(self, event: ev.ChatEvent) -> None:
        mode, talks = self._get("app_mode"), self._get("conversation_id") is not None
        if mode == WORKFLOW and talks:  # its run was told without the conversation
            self._set(app_mode=CHATFLOW)
        elif mode is None and isinstance(event, _OF_MESSAGES) and not talks and self._get("workflow") is None:
            self._set(app_mode=COMPLETION)  # no other app has neither

    def _say(self, text: str | None, at: float) -> None:
        """More of the answer."""
        if not text:
            return
        self._first_token(at)
        self._texts.say(text)

    def _first_token(self, at: float) -> None:
        timing: Timing = self._get("timing") or Timing()
        if timing.first_token is None:
            self._set(timing=msgspec.structs.replace(timing, first_token=at))

    def _warn(self, code: str, message: str, at: float, raw: bytes | str | None = None) -> None:
        self._warnings.add(code, message, at, self._texts.length, raw)

    def _settle(self, at: float) -> None:
        """The text ends here, also where it ended in half a character."""
        self._warnings.unread(self._texts.settle(), at, self._texts.length)

    def _finish(self, status: Status, end: End, at: float, *, whole: bool) -> None:
        """The turn has ended; later events may still add speech."""
        if not self._texts.ended:
            self._settle(at)
            self._texts.end()
        timing: Timing = self._get("timing") or Timing()
        if status == "stopped" and self._get("status") not in ("running", "stopped"):
            self._nodes.stopped()
        if status != "paused" and self._get("status") == "running":
            self._end_waiting()
        self._set(
            status=status,
            end=end,
            complete=whole and self._warnings.codes.isdisjoint(("damaged", "gap")),
            timing=msgspec.structs.replace(timing, total=at),
        )
        self._nodes.end("stopped" if status == "stopped" else "paused" if status == "paused" else "unknown", at)

    def _end_waiting(self) -> None:
        """The run has ended: what is known of its forms is known of the nodes that asked."""
        if self._forms:
            self._nodes.end_waiting({form.node_id for form in self._forms.values() if form.status != "waiting"})

    # -- text --------------------------------------------------------------------

    def _message(self, event: ev.Message) -> None:
        # A preset answer comes as `message` letter by letter, in agent apps too: there no `agent_message` was before.
        if self._get("agent_spoke") and event.answer:
            self._close_agent(event.answer, event.at)
        else:
            self._text(event)

    def _close_agent(self, answer: str, at: float) -> None:
        """Apps of mode agent stream all that they say as `agent_message`, and close with the `message` that is kept."""
        said = self._texts.raw
        self._agent.close(said, answer, at)
        self._set(agent_spoke=False)
        if self._get("app_mode") == AGENT:
            self._set(app_mode=NEW_AGENT)
        if said.strip() == answer.strip() or not same_text(said, answer):  # else a few characters came damaged
            self._replace_answer(answer, at)

    def _agent_message(self, event: ev.AgentMessage) -> None:
        if self._get("app_mode") is None:
            self._set(app_mode=AGENT)
        if event.answer:
            self._set(agent_spoke=True)
        self._text(event)

    def _text(self, event: ev.Event) -> None:
        """What it says is more of the answer, or of the reasoning."""
        self._say(event.answer_text, event.at)
        if reasoning := event.reasoning_text:
            self._first_token(event.at)
            self._texts.reason(reasoning, event.node_id)

    def _message_replace(self, event: ev.MessageReplace) -> None:
        # The state of a run so far comes in this form too. Chat apps leave the reason empty, and have no run.
        if event.reason != "" or self._get("workflow") is None:
            self._set(replaced=True)
        self._replace_answer(event.answer, event.at)

    def _text_replace(self, event: ev.TextReplace) -> None:
        self._set(replaced=True)
        self._replace_answer(as_text((event.data or {}).get("text")), event.at)

    def _replace_answer(self, text: str | None, at: float) -> None:
        self._texts.forget()
        self._warnings.forget_offsets()
        self._say(text, at)
        if self._texts.ended:
            self._texts.end()

    def _message_file(self, event: ev.MessageFile) -> None:
        if event.answer_text is not None:  # Dify 1.11 to 1.12 send the answer so
            self._text(event)
            return
        self._add_file(
            MessageFile(
                id=event.id,
                type=event.type or "",
                belongs_to=event.belongs_to or "",
                name=event.filename,
                mime_type=event.mime_type,
                size=as_size(event.size),
                url=event.url,
            )
        )

    def _add_files(self, items: object) -> None:
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and file_identity(file := as_file(item)) not in self._file_names:
                self._add_file(file)

    def _add_file(self, file: MessageFile) -> None:
        if file.id and file.id in self._file_names:
            return
        if (name := file_identity(file)) is not None:
            self._file_names.add(name)
        self._files = self._files or []
        self._files.append(file)

    def _agent_thought(self, event: ev.AgentThought) -> None:
        if self._get("app_mode") is None:
            self._set(app_mode=AGENT)
        self._agent.think(event, self._texts.length)

    # -- workflow ----------------------------------------------------------------

    def _workflow_started(self, event: ev.WorkflowStarted) -> None:
        data = event.data or {}
        run = event.workflow_run_id or as_text(data.get("id"))
        if self._get("status") == "paused":  # told by the same stream, or by one that follows it
            self._go_on()
            return
        known: Workflow | None = self._get("workflow")
        workflow = known if known is not None and known.id == run else Workflow(id=run)  # told again, it goes on
        self._set(
            workflow_run_id=run or None,
            workflow=msgspec.structs.replace(
                workflow,
                workflow_id=workflow.workflow_id or as_text(data.get("workflow_id")) or None,
                inputs=data.get("inputs") if workflow.inputs is None else workflow.inputs,
                started_at=event.at if workflow.started_at is None else workflow.started_at,
            ),
        )
        self._learn_mode(event, run)

    def _learn_mode(self, event: ev.WorkflowEvent, run: str) -> None:
        """Which kind of app has such a run."""
        if self._get("app_mode") is None and event.conversation_id:
            self._set(app_mode=CHATFLOW)
        elif self._get("app_mode") is None and event.task_id != run:  # else a chatflow's run that never began
            self._set(app_mode=WORKFLOW)

    def _workflow_finished(self, event: ev.WorkflowFinished) -> None:
        data = event.data or {}
        run = event.workflow_run_id or as_text(data.get("id"))
        workflow = self._get("workflow") or Workflow(id=run)
        self._set(
            workflow_run_id=self._get("workflow_run_id") or run or None,
            workflow=msgspec.structs.replace(
                workflow,
                workflow_id=workflow.workflow_id or as_text(data.get("workflow_id")) or None,
                status=str(data.get("status") or "succeeded"),
                error=as_text(data.get("error")) or None,
                outputs=data.get("outputs"),
                elapsed=as_float(data.get("elapsed_time")),
                total_tokens=as_int(data.get("total_tokens")),
                total_steps=as_int(data.get("total_steps")),
                exceptions_count=as_int(data.get("exceptions_count")),
                finished_at=event.at,
            ),
        )
        self._learn_mode(event, run)
        self._add_files(data.get("files"))
        if self._get("app_mode") == WORKFLOW:  # in one piece, no other list of them is told
            self._add_files(files_in(data.get("outputs")))
        self._conclude(event.at, alone=event.conversation_id is None)

    def _workflow_paused(self, event: ev.WorkflowPaused) -> None:
        data = event.data or {}
        workflow = self._get("workflow") or Workflow(id=event.workflow_run_id or as_text(data.get("workflow_run_id")))
        self._set(
            workflow=msgspec.structs.replace(
                workflow, status="paused", total_steps=as_int(data.get("total_steps")) or workflow.total_steps
            ),
            workflow_run_id=self._get("workflow_run_id") or workflow.id or None,
        )
        self._learn_mode(event, workflow.id)
        reasons = data.get("reasons")
        for reason in reasons if isinstance(reasons, list) else ():
            if isinstance(reason, dict) and reason.get("TYPE") in (None, "human_input_required"):
                self._ask(reason)
        if self._get("end") not in _LOCAL_ENDS:
            self._finish("paused", "paused", event.at, whole=True)

    def _ask(self, data: dict[str, Any]) -> None:
        """A form waits; told again, it may have its token anew."""
        form = as_form(data, workflow_run_id=self._get("workflow_run_id"), user=self._get("user"))
        old = self._forms.get(form.id)
        if old is None or (old.status == "waiting" and (form.token is not None or old.token is None)):
            self._forms[form.id] = form

    def _nothing(self, event: ev.Event) -> None:
        """Branches are told by their nodes (Dify 0.15 alone announces them)."""

    def _human_input_required(self, event: ev.HumanInputRequired) -> None:
        self._ask(event.data or {})

    def _form_closed(self, event: ev.HumanInputFormFilled | ev.HumanInputFormTimeout) -> None:
        reported = as_form(event.data or {}, workflow_run_id=self._get("workflow_run_id"), user=self._get("user"))
        form = self._forms.get(reported.id, reported)
        status = "filled" if isinstance(event, ev.HumanInputFormFilled) else "timeout"
        self._forms[form.id] = msgspec.structs.replace(form, status=status, token=None)

    def _node_finished(self, event: ev.NodeFinished) -> None:
        self._nodes.finished(event)
        data = event.data or {}
        if data.get("node_type") == "human-input" and data.get("status") == "succeeded":
            # Dify 1.16 sends no `human_input_form_filled`: that a form was answered is told by its node.
            for form in self._forms.values():
                if form.node_id == data.get("node_id") and form.status != "timeout":
                    self._forms[form.id] = answered(form, data.get("outputs"))

    # -- ends --------------------------------------------------------------------

    def _message_end(self, event: ev.MessageEnd) -> None:
        if not self._get("message_id") and event.id:
            self._set(message_id=event.id)
        meta = event.metadata or {}
        usage = as_dict(meta.get("usage"))
        if usage is not None:
            self._set(usage=as_usage(usage))
        # The documents' example hides the resources inside the usage.
        resources = meta.get("retriever_resources") or (usage or {}).get("retriever_resources")
        if isinstance(resources, list) and resources:
            self._set(citations=tuple(as_citation(item) for item in resources if isinstance(item, dict)))
        annotation = as_dict(meta.get("annotation_reply"))
        if annotation:
            self._set(annotation=annotation)
        if self._get("end") != "message_end":
            reported = as_dict(meta.get("reasoning")) or {}
            self._texts.complete_reasoning({node: as_text(text) for node, text in islice(reported.items(), _NODES)})
        self._add_files(event.files)
        self._conclude(event.at, message_ended=True)

    def _conclude(self, at: float, *, message_ended: bool = False, alone: bool = False) -> None:
        """The message or the run has ended; see `ending`."""
        end, error, workflow = self._get("end"), self._get("error"), self._get("workflow")
        if end in _LOCAL_ENDS or (end == "error" and error != run_error(workflow)):
            return  # this side had ended it, or an error had; what still came is welcome
        message_ended = message_ended or end == "message_end"
        stop_asked = self._get("stop_confirmed") is not None
        conclusion = ending(workflow, message_ended=message_ended, stop_asked=stop_asked, alone=alone)
        if conclusion is None:
            return
        self._set(error=conclusion.error)
        self._finish(conclusion.status, conclusion.end, at, whole=True)

    def _error(self, event: ev.Error) -> None:
        error = TurnError(code=event.code or "", message=event.message or "", status=event.status)
        self._set(error=error)
        if self._get("end") not in _LOCAL_ENDS:
            self._finish("failed", "error", event.at, whole=True)

    def _tts(self, event: ev.TtsMessage | ev.TtsMessageEnd) -> None:
        if event.audio:
            self._audio.append(event.audio)
        self._audio_ended = self._audio_ended or isinstance(event, ev.TtsMessageEnd)

    def _ping(self, event: ev.Ping) -> None:
        self._set(pings=self._get("pings") + 1)

    def _server_warning(self, event: ev.ServerWarning) -> None:
        reported = event.message if event.warning is None else event.warning
        words = (as_dict(reported) or {}).get("message") or reported
        self._warn("server", as_text(words), event.at)

    def _unknown(self, event: ev.Unknown) -> None:
        if event.damaged:
            self._warn("damaged", event.reason, event.at, event.raw)
            self._set(complete=False)
        else:
            self._warn("unknown_event", event.name, event.at, event.raw)

    # -- this side of the wire -----------------------------------------------------

    def _sent(self, event: ev.Sent) -> None:
        known = {name: getattr(event, name) for name in _SENT_FIELDS if getattr(event, name) is not None}
        self._set(status="running", created_at=as_time(event.created_at), **known)

    def _opened(self, event: ev.Opened) -> None:
        timing: Timing = self._get("timing") or Timing()
        if timing.opened is None:  # of a run that is read on, when its first answer came
            self._set(timing=msgspec.structs.replace(timing, opened=event.at))

    def _continued(self, event: ev.Continued) -> None:
        """What was the end is none."""
        self._continued_run = True
        for key, reported in (event.answered or {}).items():
            form = self._forms.get(key)
            if form is not None and form.status == "waiting" and isinstance(reported, dict):
                self._forms[key] = msgspec.structs.replace(
                    form, status="filled", token=None, action=reported.get("action"), inputs=reported.get("inputs")
                )
        self._go_on()

    def _go_on(self) -> None:
        """The run goes on, so the turn does."""
        workflow: Workflow | None = self._get("workflow")
        timing: Timing = self._get("timing") or Timing()
        self._set(
            status="running",
            end=None,
            error=None,
            complete=False,
            stop_confirmed=None,
            timing=msgspec.structs.replace(timing, total=None),
            workflow=workflow and msgspec.structs.replace(workflow, status="running", finished_at=None),
        )
        self._texts.go_on()

    def _stop_requested(self, event: ev.StopRequested) -> None:
        # Asked after the end, nothing was stopped; a wire that has said "stopped" was.
        if self._get("status") in ("running", "stopped") or self._get("end") == "timed_out":
            self._set(stop_confirmed=bool(event.confirmed))
            if self._get("status") == "stopped":
                self._set(end="stopped")

    def _rejected(self, event: ev.Rejected) -> None:
        self._set(error=TurnError(code=event.code, message=event.message, status=event.status))
        self._finish("failed", "error", event.at, whole=False)

    def _warn_of_rest(self, rest: bytes, at: float) -> None:
        if rest:
            self._warn("damaged", t("turn.cut"), at, rest)

    def _stream_end(self, event: ev.StreamEnd) -> None:
        self._warn_of_rest(event.rest, event.at)
        if self._get("status") != "running":
            if event.rest:
                self._set(complete=False)
            return
        run = run_status(self._get("workflow"))
        if self._get("stop_confirmed") is not None:
            self._finish("stopped", "stopped", event.at, whole=False)
        elif run in WELL and (self._continued_run or "followed" in self._warnings.codes):
            # A run that is followed to its end tells its own end, not always the message's.
            self._finish(run, "eof", event.at, whole=True)
        else:
            self._finish("incomplete", "eof", event.at, whole=False)

    def _break_off(self, end: End, at: float) -> None:
        """The reader or the connection went before the end."""
        if self._get("status") != "running":
            return
        stopped = self._get("stop_confirmed") is not None
        status: Status = "stopped" if stopped else "incomplete"
        self._finish(status, "stopped" if stopped and end != "timed_out" else end, at, whole=False)

    def _disconnected(self, event: ev.Disconnected) -> None:
        self._warn_of_rest(event.rest, event.at)
        if self._get("status") != "running":
            self._warn("connection", event.message, event.at)  # only speech could be missing
        elif event.code:
            self._set(error=TurnError(code=event.code, message=event.message))
        self._break_off("disconnected", event.at)

    def _resumed(self, event: ev.Resumed) -> None:
        if event.whole is None:
            if event.code not in self._warnings.codes:  # what is missing of a run that paused is missing after it too
                self._warn(event.code or "followed", event.message, event.at)
        elif not event.whole:
            self._warn(event.code or "gap", event.message, event.at)
            self._set(complete=False)
        if event.answer is not None:
            self._replace_answer(event.answer, event.at)

    def _stored(self, event: ev.Stored) -> None:
        """What the server's history knows where the stream told less."""
        if event.answer is not None and self._texts.snapshot().raw != event.answer:
            self._replace_answer(event.answer, event.at)
        if event.replaced:
            self._set(replaced=True)
        run = run_status(self._get("workflow"))
        if event.usage and self._get("usage") is None and run in ("succeeded", "partial_succeeded"):
            self._set(usage=as_usage(event.usage))
        if event.citations and not self._get("citations"):
            self._set(citations=tuple(as_citation(item) for item in event.citations if isinstance(item, dict)))
        for item in event.files or ():
            if isinstance(item, dict):
                self._add_file(as_file(item))
        for item in event.forms or ():
            form = self._forms.get(str(item.get("form_id"))) if isinstance(item, dict) else None
            if form is not None:  # also one that was answered here: what it says with its values is told there
                self._forms[form.id] = closed(form, item)
        if self._get("status") != "paused":
            self._end_waiting()
        if event.error and self._get("error") is None and run == "failed":
            self._set(error=TurnError(code="workflow_failed", message=event.error))

    def _deadline_exceeded(self, event: ev.DeadlineExceeded) -> None:
        self._break_off("timed_out", event.at)

    def _cancelled(self, event: ev.Cancelled) -> None:
        self._break_off("cancelled", event.at)


_OF_MESSAGES = (ev.Message, ev.MessageEnd, ev.Error)

_NODES = 1_000
"""Nodes whose reasoning is taken from the message's end."""

#: Ends that this side decided on; nothing that still comes overturns them.
_LOCAL_ENDS: frozenset[str | None] = frozenset(("timed_out", "cancelled"))

_SENT_FIELDS = (
    "query", "inputs", "conversation_id", "user", "server", "app", "app_mode", "turn_number", "conversation_name",
)  # fmt: skip

MEANINGS: dict[type[ev.Event], Callable[[Builder, Any], None]] = {
    ev.Message: Builder._message,
    ev.AgentMessage: Builder._agent_message,
    ev.TextChunk: Builder._text,
    ev.ReasoningChunk: Builder._text,
    ev.TextReplace: Builder._text_replace,
    ev.MessageReplace: Builder._message_replace,
    ev.MessageFile: Builder._message_file,
    ev.AgentThought: Builder._agent_thought,
    ev.AgentLog: lambda builder, event: builder._agent.log(event),
    ev.MessageEnd: Builder._message_end,
    ev.TtsMessage: Builder._tts,
    ev.TtsMessageEnd: Builder._tts,
    ev.Error: Builder._error,
    ev.ServerWarning: Builder._server_warning,
    ev.Ping: Builder._ping,
    ev.WorkflowStarted: Builder._workflow_started,
    ev.WorkflowFinished: Builder._workflow_finished,
    ev.WorkflowPaused: Builder._workflow_paused,
    ev.NodeStarted: lambda builder, event: builder._nodes.started(event),
    ev.NodeFinished: Builder._node_finished,
    ev.NodeRetry: lambda builder, event: builder._nodes.retried(event),
    ev.IterationStarted: lambda builder, event: builder._nodes.container_started(event),
    ev.IterationNext: lambda builder, event: builder._nodes.next_round(event),
    ev.IterationCompleted: lambda builder, event: builder._nodes.container_completed(event),
    ev.LoopStarted: lambda builder, event: builder._nodes.container_started(event),
    ev.LoopNext: lambda builder, event: builder._nodes.next_round(event),
    ev.LoopCompleted: lambda builder, event: builder._nodes.container_completed(event),
    ev.ParallelBranchStarted: Builder._nothing,
    ev.ParallelBranchFinished: Builder._nothing,
    ev.HumanInputRequired: Builder._human_input_required,
    ev.HumanInputFormFilled: Builder._form_closed,
    ev.HumanInputFormTimeout: Builder._form_closed,
    ev.Unknown: Builder._unknown,
    ev.Sent: Builder._sent,
    ev.Opened: Builder._opened,
    ev.Continued: Builder._continued,
    ev.StopRequested: Builder._stop_requested,
    ev.Rejected: Builder._rejected,
    ev.StreamEnd: Builder._stream_end,
    ev.Disconnected: Builder._disconnected,
    ev.Resumed: Builder._resumed,
    ev.Stored: Builder._stored,
    ev.DeadlineExceeded: Builder._deadline_exceeded,
    ev.Cancelled: Builder._cancelled,
}
"""Event -> what it means: a row for each."""
