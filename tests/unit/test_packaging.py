"""What a user installs: the wheel holds everything, works alone, and its numbers agree."""

from __future__ import annotations

import ast
import email
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

from dify_notebook import __version__

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "dify_notebook"
TESTS = ROOT / "tests"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(kind: str, into: Path) -> Path:
    """Build with the hatchling that is installed here, without a network; gives the file."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(into), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel_names: set[str]) -> None:
    """Wheels without their bundle were shipped before, by others: an ignore rule is enough."""
    here = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel_names if ".dist-info/" not in name} == here


@pytest.mark.parametrize(
    "pattern",
    [
        r"dify_notebook/py\.typed",
        r"dify_notebook/live/static/live\.js",
        r"dify_notebook/docs/en/.+\.md",
        r"dify_notebook/docs/zh-Hans/.+\.md",
        r"dify_notebook/i18n/.+\.en\.json",
        r"dify_notebook/i18n/.+\.zh-Hans\.json",
        r"dify_notebook-.+\.dist-info/licenses/LICENSE",
    ],
)
def test_the_wheel_holds(wheel_names: set[str], pattern: str) -> None:
    assert [name for name in wheel_names if re.fullmatch(pattern, name)]


def test_the_source_archive_can_be_built_and_read(tmp_path: Path) -> None:
    """With the sources of the bundle, the tests, and the pictures that the README shows."""
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]*\]\((?!https?:)([^)]+)\)", readme)
    assert pictures
    wanted = {*pictures, "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"}
    wanted |= {"js/package-lock.json", "js/src/index.ts", "notebooks/quickstart.ipynb", "tests/conftest.py"}
    assert wanted - names == set()
    assert [name for name in names if "node_modules" in name] == []


def test_every_later_python_may_install_it(metadata: Message) -> None:
    """An upper bound cannot be taken back: resolvers would go to an older version that has none."""
    assert metadata["Requires-Python"] == ">=3.11"


def test_extras_are_those_of_the_documentation(metadata: Message) -> None:
    assert set(metadata.get_all("Provides-Extra", [])) == {"fast", "keyring", "lab", "llm", "parquet", "plot", "test"}


def test_the_version_stands_once_and_the_changelog_knows_it(metadata: Message) -> None:
    assert "version" in PROJECT["dynamic"]
    assert metadata["Version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[([^]]+)\]", changelog, flags=re.MULTILINE)
    assert sections, "no section"
    released = [name for name in sections if name != "Unreleased"]
    # Until something is released, what is unreleased will be this first version.
    assert (released[0] if released else "0.1.0") == __version__


# -- dependencies ----------------------------------------------------------------------

NOT_IMPORTED = {
    "ipykernel": "a kernel that runs cells is what the magic is for",
    "sniffio": "httpcore's requests",
    "tzdata": "time zones, on Windows",
    "jupyterlab": "extra `lab`: an application",
    "notebook": "an application that tests start",
    "build": "tests run it",
    "hatchling": "builds the package",
    "linkify-it-py": "markdown-it's addresses",
    "mypy": "a tool",
    "ruff": "a tool",
}
"""Declared though nothing imports it, and what it is for."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def declared(*lists: list[str]) -> set[str]:
    """The names of the projects in those lists of requirements."""
    return {canonical(re.split(r"[^\w.-]", line)[0]) for line in chain(*lists)} - {"dify-notebook"}


def imported(root: Path) -> set[str]:
    """The projects that the files below import, wherever in them, or ask for with `importorskip`."""
    names = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import():
                    names |= {alias.name for alias in node.names}
                case ast.ImportFrom(level=0, module=str(module)):
                    names.add(module)
                case ast.Call(func=ast.Attribute(attr="importorskip"), args=[ast.Constant(value=str(module))]):
                    names.add(module)
    ours = {path.stem for path in TESTS.iterdir()} | {"dify_notebook", "_typeshed"}
    tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - ours
    homes = packages_distributions()
    return {canonical(project) for top in tops for project in homes.get(top, [top])[:1]}


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    """What another project brings today it may leave tomorrow."""
    users = declared(PROJECT["dependencies"], *(lines for extra, lines in EXTRAS.items() if extra != "test"))
    testers = declared(EXTRAS["test"])
    package, tests = imported(PACKAGE) - {"pytest"}, imported(TESTS)  # `testing` is what pytest itself loads
    assert package - users == set()
    assert tests - users - testers == set()
    assert users - package - set(NOT_IMPORTED) == set()
    assert testers - tests - set(NOT_IMPORTED) == set()
    assert set(NOT_IMPORTED) - users - testers == set()


def test_every_dependency_has_a_floor() -> None:
    """`.ci/lowest` installs it: without one that would be the first version that there ever was."""
    lines = chain(PROJECT["dependencies"], *EXTRAS.values())
    assert [line for line in lines if ">=" not in line and not line.startswith("dify_notebook[")] == []


ALONE = """
import importlib, json, pathlib, pkgutil, sys
import dify_notebook
from dify_notebook import Dify, local

walked = [
    importlib.import_module(found.name).__name__
    for found in pkgutil.walk_packages(dify_notebook.__path__, "dify_notebook.")
    if not found.name.endswith("__main__")
]
with local.serve(data_dir="data", pace=0) as server:
    with Dify(server.api_key("guide"), server.base_url, user="test") as dify:
        turn = dify.chat.send("How do I stop a running cell?")
print(json.dumps({
    "home": str(pathlib.Path(dify_notebook.__file__).parent),
    "modules": len(walked),
    "status": turn.status,
    "answer": turn.answer,
    "citations": len(turn.citations or ()),
}))
"""


def test_the_wheel_works_alone_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """Nothing of the checkout is in reach: every module imports, and the guide finds its documents."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=120)
    site = next(home.rglob("site-packages"))
    # The dependencies are those of this environment. Path files in there are not read, so an
    # editable install of the checkout stays out of reach.
    paths = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (site / "dependencies.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")
    folder = tmp_path / "empty"
    folder.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(python), "-c", ALONE],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert Path(told["home"]) == site / "dify_notebook"
    assert told["modules"] > 50
    assert told["status"] == "succeeded"
    assert told["answer"]
    assert told["citations"]
