"""What is printed: in every encoding, and where nothing can be printed at all."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from dify_notebook import console, logs
from dify_notebook.frames import progress_bar
from dify_notebook.frames.progress import Progress
from dify_notebook.i18n import speaking

TEXT = "✓ 回答 · 3 × 4 → “12” é 🙂\n"
ENCODINGS = ["utf-8", "gbk", "gb18030", "cp1252", "cp437", "latin-1", "ascii", "shift_jis", "utf-16", "koi8-r"]


def narrow(encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding, errors, newline="\n")


def same(stream: Any) -> Any:
    return stream


def knows(encoding: str, sign: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_character_that_an_encoding_lacks_costs_one_character(encoding: str) -> None:
    stream = narrow(encoding)
    console.write(TEXT, stream)
    told = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]  # a BytesIO is below it
    assert told == "".join(sign if knows(encoding, sign) else "?" for sign in TEXT)


def test_a_stream_with_a_way_of_its_own_keeps_it() -> None:
    for errors in ("replace", "backslashreplace", "xmlcharrefreplace"):
        assert console.fitting(TEXT, narrow("ascii", errors)) == TEXT
    assert console.fitting(TEXT, io.StringIO()) == TEXT
    assert console.fitting(TEXT, object()) == TEXT


class Tee:
    """Another program's stdout: it says nothing of its encoding, or something wrong."""

    def __init__(self, encoding: Any = None) -> None:
        self.encoding, self.under = encoding, narrow("ascii")

    def write(self, text: str) -> None:
        self.under.write(text)

    def flush(self) -> None:
        self.under.flush()


@pytest.mark.parametrize("encoding", [None, "utf-8", "no-such-encoding", 7, "base64"])
def test_a_stream_that_hides_its_encoding(encoding: Any) -> None:
    stream = Tee(encoding)
    console.write("a → b\n", stream)
    assert stream.under.buffer.getvalue() == b"a ? b\n"  # type: ignore[attr-defined]


class LeftPipe(io.TextIOWrapper):
    """A pipe whose reader has left. What it holds is never written, of which Python 3.13 complains at its end."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        super().__init__(io.BufferedWriter(io.FileIO(writer, "w")), "utf-8", line_buffering=True)

    def close(self) -> None:
        with suppress(BrokenPipeError):
            super().close()


def closed() -> Any:
    stream = io.StringIO()
    stream.close()
    return stream


class Raising(io.StringIO):
    def write(self, text: str) -> int:
        raise RuntimeError("no")


BROKEN = {"none": lambda: None, "closed": closed, "left": LeftPipe, "raising": Raising}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_printed_is_logged_once_and_raises_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logs, "_said", set())
    monkeypatch.setattr(sys, "stdout", BROKEN[name]())
    with caplog.at_level(logging.WARNING):
        assert (console.say("a"), console.say("b")) == (False, False)
    assert len([record for record in caplog.records if "stdout" in record.getMessage()]) == 1
    monkeypatch.undo()


@pytest.mark.parametrize("name", BROKEN)
def test_a_warning_that_cannot_be_shown_stops_nobody(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_said", set())
    monkeypatch.setattr(sys, "stderr", BROKEN[name]())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda *told, **_: sys.stderr.write(str(told[0])))
        console.warn("mind this")
    monkeypatch.undo()


def test_a_warning_may_be_an_error_where_that_is_wished_and_names_the_caller() -> None:
    with pytest.warns(UserWarning, match="mind this") as told:
        console.warn("mind this")
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            console.warn("mind this")


@pytest.mark.parametrize("name", ["closed", "left", "raising"])
def test_a_fetch_goes_on_where_its_line_cannot_be_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_said", set())
    monkeypatch.setattr(progress_bar, "_stream", BROKEN[name])
    monkeypatch.setattr(progress_bar, "SECONDS", 0.0)
    monkeypatch.setattr(sys, "stderr", BROKEN[name]())
    for meter in (progress_bar.ProgressBar(Progress()), progress_bar.ProgressBar(Progress(), shown=True)):
        meter.show()
        meter.show()
        meter.end()
    monkeypatch.undo()
    monkeypatch.setattr(sys, "stderr", BROKEN[name]())
    progress_bar.ProgressBar(Progress()).end()  # finds its own stream
    monkeypatch.undo()


def test_the_line_of_a_fetch_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bar, "SECONDS", 0.0)
    with speaking("zh-Hans"):
        for encoding in ("gbk", "ascii"):
            stream = narrow(encoding)
            monkeypatch.setattr(progress_bar, "_stream", partial(same, stream))
            meter = progress_bar.ProgressBar(Progress())
            meter.show()
            meter.end()
            told = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
            assert told.endswith("\n")
            assert ("?" in told) == (encoding == "ascii")


def test_neither_stdout_nor_stderr_nor_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_said", set())
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, closed())
    monkeypatch.setattr(logging.root, "handlers", [])
    assert not console.say("a")
    assert not console.say("b", "stderr")
