"""JupyterLab or Notebook in a real browser: a server of its own, driven by commands, not by menus."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
]
QUIET = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}
RECONNECTS = 3
SIZE = {"width": 1280, "height": 1000}
"""Of a page, in pixels."""
PATIENCE = 180_000
"""Milliseconds after which a command of the application counts as lost."""
KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
HERE = (str(Path(__file__).parents[2]), str(Path(__file__).parent))
"""What a kernel imports from the checkout: the package, and the driver."""
TOKEN = "for-this-test-only"


def need(what: str, there: bool) -> None:
    """Skip without the tool; with CI=true its absence is a failure.

    A test that nobody ran must not look like one that passed.
    """
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


def chromium() -> str | None:
    """Path of a Chromium that is installed, or None."""
    wish = os.environ.get("CHROMIUM_PATH")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return wish or next(filter(None, map(shutil.which, names)), None)


def require() -> str:
    """The browser's path; skips the test, or fails it in CI, when something is missing."""
    path = chromium()
    need("Chromium", path is not None)
    for module in ("jupyterlab", "notebook", "playwright", "ipykernel", "nbformat"):
        need(module, importlib.util.find_spec(module) is not None)
    assert path is not None
    return path


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium with an empty profile."""
    from playwright.sync_api import sync_playwright

    path = require()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield found
        finally:
            found.close()


def free_port() -> int:
    """A port at which nobody listens, from those that the system gives to nobody who asks for any."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Server:
    """A Jupyter server with directories of its own, so that nobody's settings or trust count."""

    def __init__(self, home: Path, app: str = "lab") -> None:
        self.root = home / "notebooks"
        self.app = app
        self._home = home
        self._log = home / "server.log"
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("DIFY_", "JUPYTER", "IPYTHON"))}
        self.env |= {
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
            "IPYTHONDIR": str(home / "ipython"),
            "DIFY_NOTEBOOK_DATA_DIR": str(home / "dify"),
            "DIFY_NOTEBOOK_LANG": "en",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, [*HERE, os.environ.get("PYTHONPATH")])),
        }

    def kernel(self, name: str, overlay: Path) -> None:
        """Add a kernel that prefers the packages in this directory."""
        spec = self._home / "data" / "kernels" / name
        spec.mkdir(parents=True, exist_ok=True)
        described = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "env": {"PYTHONPATH": f"{overlay}{os.pathsep}{self.env['PYTHONPATH']}"},
        }
        (spec / "kernel.json").write_text(json.dumps(described))

    def settings(self, plugin: str, values: dict[str, Any]) -> None:
        """Set a plugin's settings; before the page is opened."""
        package, _, name = plugin.partition(":")
        path = self._home / "settings" / package / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        """Start it and wait until it answers; stop it and its kernels at the end.

        Raises:
            RuntimeError: it did not start; the message holds its log.
        """
        for plugin, values in QUIET.items():
            self.settings(plugin, values)
        command = [
            sys.executable,
            "-m",
            "jupyter",
            self.app,
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
        ]
        command += [
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
        ]
        command += [f"--ServerApp.root_dir={self.root}", "--expose-app-in-browser"]
        with self._log.open("wb") as log:
            process = subprocess.Popen(command, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait(process)
            yield self
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.base}/api/status?token={TOKEN}", timeout=2).close()
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise RuntimeError(f"the Jupyter server did not start:\n{self._log.read_text(errors='replace')}")

    def write(self, name: str, cells: Sequence[str], kernel: str = "python3") -> Path:
        """Make a notebook of code cells. Use each name once: a session goes by its notebook's path."""
        import nbformat
        from nbformat.v4 import new_code_cell, new_notebook

        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        path = self.root / name
        nbformat.write(notebook, path)
        return path

    def url(self, name: str) -> str:
        """Where that notebook opens."""
        # A workspace for each, or a page that is loaded again would show what another left open.
        workspace = name.partition(".")[0].replace("/", "-")
        place = f"lab/workspaces/{workspace}/tree/{name}?reset&" if self.app == "lab" else f"notebooks/{name}?"
        return f"{self.base}/{place}token={TOKEN}"


class Pages:
    """Pages of JupyterLab that were read to their end: to show another notebook in one takes a fifth of the time
    that loading it takes. One is kept for each script that was put into it."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def take(self, script: str) -> Any | None:
        """A page without a notebook, or None."""
        return self._kept.pop(script, None)

    def keep(self, script: str, page: Any) -> None:
        """Clear it of its notebook and of what a test made of it."""
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.evaluate(
            """() => {
                for (const widget of [...window.jupyterapp.shell.widgets('main')]) widget.dispose();
                localStorage.clear();
                sessionStorage.clear();
            }"""
        )
        page.context.clear_permissions()
        page.set_viewport_size(SIZE)
        page.mouse.move(0, 0)
        if script in self._kept:
            self._kept[script].context.close()
        self._kept[script] = page

    def close(self) -> None:
        """Close them all."""
        while self._kept:
            self._kept.popitem()[1].context.close()


class Notebook:
    """An open notebook in a page: one of these pages, or else one of its own."""

    def __init__(
        self,
        browser: Any,
        server: Server,
        name: str,
        *,
        script: str = "",
        dark: bool = False,
        pages: Pages | None = None,
    ) -> None:
        colours = "dark" if dark else "light"
        self._pages, self._script = pages, script
        kept = pages and pages.take(script)
        self.page = kept or browser.new_context(viewport=SIZE, color_scheme=colours).new_page()
        self.context = self.page.context
        self.page.set_default_timeout(60_000)
        self.log: list[str] = []
        self._listeners = {
            "console": lambda message: self.log.append(f"{message.type}: {message.text}"[:500]),
            "pageerror": lambda error: self.log.append(f"error: {error}"[:500]),
        }
        for event, listener in self._listeners.items():
            self.page.on(event, listener)
        self.server = server
        self.name = name
        try:
            if kept is None:
                if script:
                    self.page.add_init_script(script)
                self.page.goto(server.url(name))
            else:
                self.page.emulate_media(color_scheme=colours)
                self.page.evaluate(
                    """async path => {
                        window.again?.();
                        await window.jupyterapp.serviceManager.kernelspecs.refreshSpecs();
                        await window.jupyterapp.commands.execute('docmanager:open', {path});
                    }""",
                    name,
                )
            self.ready()
        except BaseException:
            self.close()  # a page that nobody closes would go on beside the next test
            raise

    def reload(self) -> None:
        """Load the page again, with this notebook in it."""
        if self.page.url.startswith(self.server.url(self.name).partition("?")[0]):
            self.page.reload()
        else:  # a page that was opened with another one
            self.page.goto(self.server.url(self.name))

    @property
    def _timeout(self) -> type[Exception]:
        from playwright.sync_api import TimeoutError as PlaywrightTimeout

        return PlaywrightTimeout

    def ready(self, kernel: bool = True) -> None:
        """Wait until cells are there, and a kernel that waits for work."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        if not kernel:
            return
        for _ in range(RECONNECTS):
            with contextlib.suppress(self._timeout):
                return self.wait_status("idle", timeout=8_000)
            # The page may connect between the kernel's first status messages and then knows none
            # for ever (seen with 1 of 15 starts): what the menu's "Reconnect to Kernel" does mends it.
            self.page.evaluate(f"() => {{ void {KERNEL}?.reconnect() }}")
        self.wait_status("idle")

    def wait_status(self, status: str, timeout: float = 60_000) -> None:
        """Wait until the kernel is idle, or busy."""
        self.page.wait_for_function(
            f"status => {KERNEL}?.status === status",
            arg=status,
            timeout=timeout,
        )

    def command(self, name: str, *, wait: bool = True) -> None:
        """Run a command of the application; with `wait` until it is done.

        A page that waits for a kernel's answer waits for ever, and so would the test: it fails after `PATIENCE`.
        """
        script = """([name, wait, patience]) => {
            const done = window.jupyterapp.commands.execute(name).then(() => null);
            if (!wait) return;
            const late = (_, fail) => setTimeout(() => fail(new Error(`${name} did not end`)), patience);
            return Promise.race([done, new Promise(late)]);
        }"""
        self.page.evaluate(script, [name, wait, PATIENCE])

    def run_all(self, *, wait: bool = True) -> None:
        """Run All; with `wait` until each cell was answered."""
        self.command("notebook:run-all-cells", wait=wait)

    def run_cell(self, index: int, *, wait: bool = True) -> None:
        """Run that cell, from 0."""
        self.page.evaluate(f"() => {{ window.jupyterapp.shell.currentWidget.content.activeCellIndex = {index} }}")
        self.command("notebook:run-cell", wait=wait)

    def wait_cell(self, index: int, timeout: float = 60_000) -> None:
        """Wait until that cell has been run: the kernel may say idle before, when it heard a message."""
        self.page.wait_for_function(
            """index => /\\[\\d+\\]/.test(
                document.querySelectorAll('.jp-CodeCell')[index]?.querySelector('.jp-InputPrompt')?.textContent)""",
            arg=index,
            timeout=timeout,
        )

    def save(self) -> None:
        self.command("docmanager:save")

    def interrupt(self) -> None:
        """The kernel's ■."""
        self.command("notebook:interrupt-kernel")

    def outputs(self) -> list[str]:
        """The text of each cell's outputs, that in shadow roots included."""
        script = """() => [...document.querySelectorAll('.jp-CodeCell')].map(cell => {
            const texts = [];
            const walk = node => {
                for (const el of node.shadowRoot?.children ?? [])
                    if (el.localName !== 'style') texts.push(el.textContent);
                for (const el of node.children) walk(el);
            };
            const area = cell.querySelector('.jp-Cell-outputArea');
            if (!area) return '';
            walk(area);
            return area.textContent + texts.join('\\n');
        })"""
        found: list[str] = self.page.evaluate(script)
        return found

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(path))

    def shut_down(self) -> None:
        """End the kernel, so that nothing of this test runs on beside the next."""
        self.page.evaluate(f"async () => {{ await {KERNEL}?.shutdown() }}")

    def saved(self) -> dict[str, Any]:
        """The notebook as it lies on the disk."""
        found: dict[str, Any] = json.loads((self.server.root / self.name).read_text(encoding="utf-8"))
        return found

    def close(self, *, keep: bool = False) -> None:
        """Close the page, or `keep` it for another notebook."""
        if keep and self._pages is not None:
            for event, listener in self._listeners.items():
                self.page.remove_listener(event, listener)
            self._pages.keep(self._script, self.page)
        else:
            self.context.close()


def overlay(version: str) -> Path:
    """A directory with that ipykernel, to be put before the packages here; kept for the next time.

    A directory and not an environment: everything but the kernel stays what is tested.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dify_notebook-tests"
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    place = cache / f"ipykernel-{version}-{tag}"
    if not place.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partly = place.with_suffix(f".{os.getpid()}.partly")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(partly)]
        command += [f"ipykernel=={version}", "nest-asyncio"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            shutil.rmtree(partly, ignore_errors=True)
            need(f"ipykernel {version} ({done.stderr.strip()[-300:]})", False)
        partly.rename(place)
    return place
