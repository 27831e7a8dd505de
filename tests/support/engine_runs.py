"""Runs of the embedded server's engine by themselves: a real store, no HTTP."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from dify_notebook.local.engine.app import App
from dify_notebook.local.engine.file_values import Upload
from dify_notebook.local.engine.forms import as_input, check_inputs
from dify_notebook.local.engine.pausing import Resumption
from dify_notebook.local.engine.run import Run
from dify_notebook.local.store.directory import Directory
from dify_notebook.local.store.paused import FormTokens, PausedRuns
from dify_notebook.local.store.store import Store
from dify_notebook.local.store.uploads import Uploads
from dify_notebook.local.tokens import Meter

Event = dict[str, Any]
Result = TypeVar("Result")


@dataclass
class Ran:
    """A run that has come to its end, or waits."""

    run: Run
    events: list[Event] = field(default_factory=list)

    def data(self, name: str) -> list[Any]:
        return [event["data"] for event in self.events if event["event"] == name]

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    @property
    def text(self) -> str:
        return "".join(data["text"] for data in self.data("text_chunk"))

    @property
    def end(self) -> Any:
        return self.data("workflow_finished")[-1]


class Engine:
    """Runs apps that are not served. One event loop, so that what pauses can go on."""

    def __init__(self, where: Path) -> None:
        self._directory = Directory.open(where)
        self.store = Store(self._directory)
        self.pauses = PausedRuns(self.store, FormTokens("secret"))
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        self._loop.close()
        self.store.close()

    def do(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(doing)

    def run(self, app: App, inputs: Mapping[str, Any] | None = None, **how: Any) -> Ran:
        """Answer; see `begin` for what else can be given."""
        return self.do(self._ran(app, inputs or {}, **how))

    async def _ran(self, app: App, inputs: Mapping[str, Any], **how: Any) -> Ran:
        ran = await self.begin(app, inputs, **how)
        await ran.run.drive()
        return heard(ran)

    async def begin(
        self,
        app: App,
        inputs: Mapping[str, Any],
        *,
        query: str = "",
        streaming: bool = True,
        uploads: Sequence[Upload] = (),
        user: str = "ann",
        pace: float = 0.0,
        keeps_files: bool = True,
    ) -> Ran:
        """A run that is written down and can be driven."""
        message = str(uuid.uuid4())
        end_user = await self.store.end_user(app.name, user)
        given = check_inputs(app.form, dict(inputs))
        conversation = await self.store.begin(
            app=app.name, user=end_user, conversation=None, message=message, query=query, name="", inputs=given,
            introduction="", files=(), variables=(),
        )  # fmt: skip
        run = Run(
            app=app,
            store=self.store,
            user=user,
            end_user=end_user,
            conversation=None if app.is_workflow else conversation,
            message_id=message,
            query=query,
            inputs=given,
            history=(),
            uploads=uploads,
            variables={},
            pace=pace,
            auto_name=False,
            events=asyncio.Queue() if streaming else None,
            kept=True,
            pauses=self.pauses,
            keep_file=self.keep(app, user) if keeps_files else None,
        )
        return Ran(run)

    def resumed(self, ran: Ran, answers: Mapping[str, tuple[str, dict[str, Any]]]) -> Ran:
        """Go on with a run that waited: node -> action and inputs."""
        return self.do(self._resumed(ran.run, answers))

    async def _resumed(self, run: Run, answers: Mapping[str, tuple[str, dict[str, Any]]]) -> Ran:
        for form in run.paused["reasons"] if run.paused else ():
            if form["node_id"] in answers:
                await self.pauses.submit(run.app.name, form["form_token"], *answers[form["node_id"]])
        (ready,) = await self.pauses.take_ready()
        assert ready.message == run.message_id
        again = Run(
            app=run.app, store=run.store, user=run.user, end_user=run.end_user, conversation=run.conversation,
            message_id=run.message_id, query=run.query, inputs=run.inputs, history=(), uploads=(), variables={},
            pace=run.pace, auto_name=False, events=asyncio.Queue(), kept=True, pauses=self.pauses,
            task_id=run.task_id, created_at=run.created_at, meter=Meter(*ready.state["meter"][:2]),
            resumption=Resumption(ready.state, ready.answers), persisted=run.answer, keep_file=run.keep_file,
        )  # fmt: skip
        await again.drive()
        return heard(Ran(again))

    def upload(self, app: App, name: str, content: bytes, *, user: str = "ann") -> tuple[Upload, dict[str, Any]]:
        """A file as a run gets it, and as an input names it."""
        value = self.do(self.keep(app, user)(name, content, "text/csv"))
        path = self._directory.files / value["related_id"]
        return Upload(name, name.rpartition(".")[2], "text/csv", len(content), path, value["related_id"]), value

    def keep(self, app: App, user: str) -> Callable[[str, bytes, str], Coroutine[Any, Any, dict[str, Any]]]:
        async def keep(name: str, content: bytes, mime_type: str) -> dict[str, Any]:
            row = await Uploads(self.store).add(
                self._directory.files / str(uuid.uuid4()), lambda target: target.write(content), app=app.name,
                session=user, name=name, extension=name.rpartition(".")[2], mime_type=mime_type, size=len(content),
            )  # fmt: skip
            reference = {"upload_file_id": row["id"], "type": "document", "transfer_method": "local_file"}
            return as_input(reference, row, lambda key: f"http://127.0.0.1/files/{key}/file-preview")

        return keep

    def content(self, value: Mapping[str, Any]) -> bytes:
        """The bytes of a file value."""
        return self._directory.files.joinpath(str(value["related_id"])).read_bytes()


def heard(ran: Ran) -> Ran:
    """With what its client has been told."""
    queue = ran.run.events
    while queue is not None and not queue.empty():
        event = queue.get_nowait()
        if event is not None:
            ran.events.append(event)
    return ran
