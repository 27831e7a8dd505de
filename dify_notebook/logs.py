"""The loggers of this package: what they write is harmless for terminals and log files, and holds no secret.

Messages and tracebacks may repeat what a server said. A message is one line, so that nobody can forge another.
"""

from __future__ import annotations

import logging
from typing import Any

from .printable import MESSAGE, TEXT, one_line, visible
from .redact import redact


class _Harmless(logging.Filter):
    """Puts in the place of a record's texts what may be written; drops no record."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.name == "httpcore.socks":
            message = message.partition(" auth=")[0]  # the proxy's user and password come last
        record.msg, record.args = one_line(redact(message), MESSAGE), None
        if record.exc_info and not record.exc_text:  # a formatter takes the text that is there
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = visible(redact(record.exc_text), TEXT)
        return True


_HARMLESS = _Harmless()


def logger(name: str = "dify_notebook") -> logging.Logger:
    """The logger of that name. Its records are made harmless before any handler sees them."""
    result = logging.getLogger(name)
    result.addFilter(_HARMLESS)  # once, however often it is asked for
    return result


def without_tokens(name: str) -> None:
    """Let the access log of that name hold no secret. Its formatter needs the arguments, and gets them."""

    def redacted(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(redact(value) if isinstance(value, str) else value for value in record.args)
        return True

    logging.getLogger(name).addFilter(redacted)


def hide_headers(event: str, info: dict[str, Any]) -> None:
    """For a `trace` of httpcore's, which writes `info` into its log afterwards: of a reply that is version and status.

    A server may repeat any key in its headers, and keys that are not Dify's are not known by their form. What is
    wrong with an answer is told with a piece of it, which may be the same.
    """
    if event == "http11.receive_response_headers.complete":
        info["return_value"] = info["return_value"][:2]
    elif event.endswith(".failed"):  # h11 shows the header that is none
        info["exception"] = type(info["exception"]).__name__


_said: set[str] = set()


def warn_once(what: str, message: str) -> None:
    """Warn in the log, once in this process for each `what`: something optional does not work, and all else goes on."""
    if what not in _said:
        _said.add(what)
        logger().warning("%s", message)
