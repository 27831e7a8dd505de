"""The committed bundle is what its sources give, and small."""

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
BUNDLE = ROOT / "dify_notebook" / "live" / "static" / "live.js"


def source_hash() -> str:
    """The same as in js/build.mjs."""
    names = [f"src/{path.relative_to(JS / 'src').as_posix()}" for path in (JS / "src").rglob("*.ts")]
    hash_ = hashlib.sha256()
    for name in sorted([*names, "build.mjs", "package.json", "tsconfig.json"]):
        hash_.update(name.encode() + b"\0" + (JS / name).read_bytes() + b"\0")
    return hash_.hexdigest()


def test_bundle_carries_the_hash_of_its_sources() -> None:
    head = BUNDLE.read_text(encoding="utf-8").splitlines()[0]
    match = re.fullmatch(
        r"/\* dify_notebook live view; generated from js/ \(sha256 of sources: (\w{64})\) \*/", head
    )
    assert match, head
    assert match[1] == source_hash(), (
        "the sources changed; run: npm --prefix js ci && npm --prefix js run build"
    )


def test_bundle_is_small() -> None:
    """It travels once to every page, and lies in every executed notebook."""
    assert BUNDLE.stat().st_size <= 12_000


def test_bundle_loads_nothing_from_elsewhere() -> None:
    text = BUNDLE.read_text(encoding="utf-8")
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
    if not (JS / "node_modules" / ".package-lock.json").exists():
        npm("ci")


@pytest.mark.node
@pytest.mark.usefixtures("node")
def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "live.js"
    subprocess.run(
        ["node", str(JS / "build.mjs"), "--out", str(out)], check=True, capture_output=True, timeout=120
    )
    assert out.read_bytes() == BUNDLE.read_bytes()


@pytest.mark.node
@pytest.mark.usefixtures("node")
def test_types_and_tests_of_the_browser_half_pass() -> None:
    npm("run", "check")
    npm("run", "test")
