"""An Interrupt may come while a first client imports what it needs: no key stands in what the traceback holds."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from dify_notebook import AsyncDify, Dify, DifyError

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
for kind in (Dify, AsyncDify):
    try:
        kind(**eval(sys.argv[2]))
    except (KeyboardInterrupt, AttributeError) as problem:
        print(type(problem).__name__)
        trace = problem.__traceback__.tb_next
        while trace is not None:
            if "dify_notebook" in trace.tb_frame.f_code.co_filename:
                print({name: repr(value) for name, value in trace.tb_frame.f_locals.items()})
            trace = trace.tb_next
"""
KEY = "'app-can' + 'aryQx7Tn2Vb9Kd4Ws6Zr'"
GIVEN = f"api_key={KEY}, base_url='http://127.0.0.1:9', headers={{'X-Gateway': {KEY}}}"


@pytest.mark.parametrize(
    ("given", "module", "problem"),
    [
        (GIVEN, "address", "KeyboardInterrupt"),
        (GIVEN, "config", "KeyboardInterrupt"),
        (GIVEN, "net.transport", "KeyboardInterrupt"),
        (f"base_url={KEY}", "address", "KeyboardInterrupt"),
        (f"base_url={KEY}", "config", "KeyboardInterrupt"),
        (f"api_key={KEY}, headers=['no', 'mapping']", "", "AttributeError"),
    ],
)
def test_a_client_that_does_not_come_to_be_holds_no_key(given: str, module: str, problem: str) -> None:
    command = [sys.executable, "-c", SCRIPT, f"dify_notebook.{module}", f"dict({given})"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = ran.stdout.splitlines()
    assert said.count(problem) == 2, "of both clients"
    assert len(said) >= 4
    assert "canary" not in ran.stdout
