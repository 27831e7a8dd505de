"""A real ipykernel, driven as a frontend drives it, with its outputs as a frontend would hold them."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dify_notebook

SECONDS = 60.0
"""Longest wait for one cell; a test that reaches it has failed."""


class Outputs:
    """What a cell left: updates replace the display that they name, as in a frontend."""

    def __init__(self) -> None:
        self.displays: list[dict[str, Any]] = []
        """Mime bundles of displays and results, in order."""
        self.results = 0
        """How many of them were results (`Out[n]:` in the frontend)."""
        self.streams: dict[str, str] = {"stdout": "", "stderr": ""}
        self.error: dict[str, Any] | None = None
        self.comms: list[dict[str, Any]] = []
        """Custom messages of widgets, in order."""
        self.reply: dict[str, Any] = {}

    @property
    def traceback(self) -> str:
        return "\n".join(self.error["traceback"]) if self.error else ""

    @property
    def everything(self) -> str:
        """All that could end up in a file or on a screen."""
        return repr((self.displays, self.streams, self.error, self.comms))


class Kernel:
    """One kernel and its client."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client
        self._displays: dict[str, tuple[Outputs, int]] = {}

    def run(
        self,
        code: str,
        during: Callable[[Outputs, dict[str, Any]], None] | None = None,
        cell_id: str | None = None,
    ) -> Outputs:
        """Run a cell to its end. `during` sees the outputs after each message."""
        outputs = Outputs()
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        request = self.client.session.msg("execute_request", content)
        if cell_id is not None:
            request["metadata"]["cellId"] = cell_id
        self.client.shell_channel.send(request)
        sent = request["header"]["msg_id"]
        end = time.monotonic() + SECONDS
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic()))
            if message["parent_header"].get("msg_id") == sent or message["msg_type"] == "update_display_data":
                self._take(message, outputs)
                if during is not None:
                    during(outputs, message)
                if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                    break
        outputs.reply = self.reply_to(sent)["content"]
        return outputs

    def reply_to(self, sent: str) -> dict[str, Any]:
        """The kernel's reply to that request; others are passed over (a slow kernel answers more than one greeting)."""
        while True:
            reply: dict[str, Any] = self.client.get_shell_msg(timeout=SECONDS)
            if reply["parent_header"].get("msg_id") == sent:
                return reply

    def value(self, expression: str) -> str:
        """The repr of an expression in the kernel."""
        found = self.client.execute(
            "", user_expressions={"value": f"{expression}"}, store_history=False, reply=True
        )
        value = found["content"]["user_expressions"]["value"]
        assert value["status"] == "ok", value
        return str(value["data"]["text/plain"])

    def complete(self, code: str) -> dict[str, Any]:
        return dict(self.client.complete(code, len(code), reply=True, timeout=SECONDS)["content"])

    def inspect(self, code: str) -> str:
        found = self.client.inspect(code, len(code), reply=True, timeout=SECONDS)["content"]
        return str(found["data"].get("text/plain", ""))

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def _take(self, message: dict[str, Any], outputs: Outputs) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            outputs.streams[content["name"]] += content["text"]
        elif kind in ("display_data", "execute_result"):
            name = content.get("transient", {}).get("display_id")
            if name:
                self._displays[name] = (outputs, len(outputs.displays))
            outputs.displays.append(content["data"])
            outputs.results += kind == "execute_result"
        elif kind == "update_display_data":
            held, place = self._displays[content["transient"]["display_id"]]
            held.displays[place] = content["data"]
        elif kind == "error":
            outputs.error = content
        elif kind == "comm_msg":
            outputs.comms.append(content["data"])


def kernel_environment(directory: Path, **more: str) -> dict[str, str]:
    """This process's environment, with nothing of the developer's Dify and everything in the directory."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DIFY_")}
    root = str(Path(dify_notebook.__file__).parents[1])
    env.update(
        DIFY_NOTEBOOK_DATA_DIR=str(directory / "data"),
        DIFY_NOTEBOOK_CONFIG_DIR=str(directory / "config"),
        DIFY_NOTEBOOK_LANG="en",
        IPYTHONDIR=str(directory / "ipython"),
        PYTHONPATH=os.pathsep.join(part for part in (root, env.get("PYTHONPATH", "")) if part),
    )
    return env | more


@contextmanager
def sockets() -> Iterator[dict[str, Any]]:
    """Traits of a `KernelManager` whose kernel listens at files: a port may be taken before the kernel binds it."""
    if os.name == "nt":
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="kernel") as directory:  # a socket's path has room for 100 characters
        yield {"transport": "ipc", "connection_file": os.path.join(directory, "k.json")}


@contextmanager
def kernel(directory: Path, **environment: str) -> Iterator[Kernel]:
    """A fresh kernel whose data, history and working directory lie in this directory."""
    from jupyter_client.manager import KernelManager

    env = kernel_environment(directory, **environment)
    with sockets() as traits:
        manager = KernelManager(kernel_name="python3", **traits)
        manager.start_kernel(env=env, cwd=str(directory))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=SECONDS)
            yield Kernel(manager, client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
