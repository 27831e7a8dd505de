#!/usr/bin/env bash
# IPython 9.18.1: what a cell awaited goes on after Ctrl-C, in the next cell that awaits anything.
#
# Expected: KeyboardInterrupt ends what the cell was doing. asyncio.run cancels its task upon SIGINT and lets it clean
# up (Python's documentation of asyncio.Runner, "Handling Keyboard Interruption", since 3.11).
# Seen: the cell ends with KeyboardInterrupt, but the coroutine hears of nothing: no exception, no `finally`, no closed
# connection. The shell's loop merely stands still. A cell without `await` leaves it there; the next one with `await`
# lets it go on to its end, between the lines of that other cell. Reported as ipython/ipython#14248, open. The signal is
# raised by the loop here, which is where a real one arrives too while the cell waits.
#
# Who meets it: who stops a streamed answer of `await ...` or `async for` in `ipython` in a terminal. The server writes
# on, since nobody hung up, and minutes later its text is printed, or stored, in the middle of another question. The
# cure is a handler for SIGINT of one's own that cancels the task.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ipython==9.18.1
export IPYTHONDIR=$work/ipython
env/bin/python -I - <<'END'
import asyncio
import signal

import IPython
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

log = []


async def answer(go):
    log.append("asked")
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
    try:
        await go.wait()
        log.append("answered")
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    finally:
        log.append("closed")


shell = InteractiveShell.instance()
shell.history_manager.enabled = False
shell.user_ns.update(answer=answer, asyncio=asyncio, log=log)
CELLS = (
    ("go = asyncio.Event()", True, []),
    ("await answer(go)", False, ["asked"]),
    ("go.is_set()", True, ["asked"]),
    (
        "log.append('next')\ngo.set()\nawait asyncio.sleep(0)\nawait asyncio.sleep(0)\nlog.append('end')",
        True,
        ["asked", "next", "answered", "closed", "end"],
    ),
)
print("IPython", IPython.__version__)
for text, good, expected in CELLS:
    with capture_output():
        result = shell.run_cell(text)
    print(f"{text!r}: {result.error_in_exec!r}, log {log}")
    assert result.success if good else isinstance(result.error_in_exec, KeyboardInterrupt), "another end of the cell"
    assert log == expected, "IPython has changed"
log.clear()


async def main():
    await answer(asyncio.Event())


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("asyncio.run: log", log)
assert log == ["asked", "cancelled", "closed"], "asyncio has changed"
END
