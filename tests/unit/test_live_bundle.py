"""The committed bundles are what their sources give, and small."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JS = ROOT / "js"
PACKAGE = ROOT / "dify_notebook"
BUNDLES = {
    # name in the first line: file, bytes at most, whether it holds sources below src/panel too
    "live view": (PACKAGE / "live" / "static" / "live.js", 22_000, False),
    # The panel's has the form of a run that waits, as the live view's has: 12,000 bytes; the page of apps that are run: 4,000.
    "chat panel": (PACKAGE / "panel" / "static" / "panel.js", 98_000, True),
}
each_bundle = pytest.mark.parametrize("name", BUNDLES)


def source_hash(panel: bool) -> str:
    """The same as in js/build.mjs."""
    files = [path for path in (JS / "src").rglob("*") if path.suffix in (".ts", ".tsx", ".css")]
    names = [f"src/{path.relative_to(JS / 'src').as_posix()}" for path in files]
    names = [name for name in names if panel or not name.startswith("src/panel/")]
    hash_ = hashlib.sha256()
    for name in sorted([*names, "build.mjs", "package.json", "tsconfig.json"]):
        hash_.update(name.encode() + b"\0" + (JS / name).read_bytes() + b"\0")
    return hash_.hexdigest()


@each_bundle
def test_bundle_carries_the_hash_of_its_sources(name: str) -> None:
    path, _, panel = BUNDLES[name]
    head = path.read_text(encoding="utf-8").splitlines()[0]
    match = re.fullmatch(
        rf"/\* dify_notebook {name}; generated from js/ \(sha256 of sources: (\w{{64}})\) \*/", head
    )
    assert match, head
    assert match[1] == source_hash(panel), (
        "the sources changed; run: npm --prefix js ci && npm --prefix js run build"
    )


@each_bundle
def test_bundle_is_small(name: str) -> None:
    """It travels once to every page, and lies in every executed notebook."""
    path, most, _ = BUNDLES[name]
    assert path.stat().st_size < most


@each_bundle
def test_bundle_loads_nothing_from_elsewhere(name: str) -> None:
    text = BUNDLES[name][0].read_text(encoding="utf-8")
    # Names of XML's languages look like addresses, and nothing is loaded from them.
    text = re.sub(r"http://www\.w3\.org/\d{4}/(svg|xhtml|Math/MathML|1999/xlink)|http://www\.w3\.org/1998/Math/MathML", "", text)
    assert not re.search(r"(?<!@)\bimport\b|\bfetch\(|XMLHttpRequest|//[a-z0-9.-]+\.[a-z]{2,}/", text)


def test_lockfile_names_no_host_of_a_registry() -> None:
    assert '"resolved"' not in (JS / "package-lock.json").read_text(encoding="utf-8")


def npm(*args: str) -> None:
    """Run npm in js/; the whole output is in the failure."""
    done = subprocess.run(["npm", "--prefix", str(JS), *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def node() -> None:
    """Node and the pinned packages, installed when they are not there."""
    if not shutil.which("node") or not shutil.which("npm"):
        if os.environ.get("CI") == "true":
            pytest.fail("Node.js is missing")
        pytest.skip("Node.js is missing")
    installed = JS / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (JS / "package-lock.json").stat().st_mtime:
        npm("ci")


@pytest.mark.node
@pytest.mark.usefixtures("node")
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    for path, _, _ in BUNDLES.values():
        (tmp_path / path.relative_to(PACKAGE)).parent.mkdir(parents=True)
    subprocess.run(
        ["node", str(JS / "build.mjs"), "--dir", str(tmp_path)], check=True, capture_output=True, timeout=120
    )
    for path, _, _ in BUNDLES.values():
        assert (tmp_path / path.relative_to(PACKAGE)).read_bytes() == path.read_bytes()


@pytest.mark.node
@pytest.mark.usefixtures("node")
def test_types_and_tests_of_the_browser_half_pass() -> None:
    npm("run", "check")
    npm("run", "test")
