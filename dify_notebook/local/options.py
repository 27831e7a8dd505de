"""The options of an embedded server: of `serve()`, or on the command line."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..i18n import t

if TYPE_CHECKING:
    from ..tape import Tape
    from .engine.app import App
    from .engine.speech import Speech

Dialect = Literal["1.16", "1.12", "0.15"]
DIALECTS: tuple[Dialect, ...] = ("1.16", "1.12", "0.15")
"""Versions of Dify, the newest first."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""This machine's names, of which one may be listened at without a warning."""


@dataclass(frozen=True)
class Options:
    """How one server behaves. All have defaults that suit a first try."""

    port: int = 0
    """0 takes the port that this directory had last, else any free one."""
    host: str = "127.0.0.1"
    """Where it listens; anything but loopback is warned about."""
    pace: float = 1.0
    """Factor on the pauses that make an answer watchable; 0 leaves them out."""
    ping_interval: float = 10.0
    """Seconds between the pings of a stream."""
    dialect: Dialect = DIALECTS[0]
    """Which Dify it looks like."""
    apps: tuple[App, ...] = ()
    """Apps beside guide, toolbox, pipeline and tally; one of the same name takes its place."""
    faults: bool | tuple[str, ...] = False
    """Whether the header X-Dify-Fault is obeyed, or faults for every question; see faults.py."""
    play: tuple[Tape, ...] = ()
    """Recorded answers that every question gets, in turn."""
    speed: float = 1.0
    """Factor on the time of what is played; 0 plays without pauses."""
    allow: tuple[str, ...] = ()
    """Origins (http://127.0.0.1:8080) that remote_url and http-request nodes may reach."""
    cors: tuple[str, ...] = ()
    """Origins of web pages that may read answers; none by default."""
    speech: Speech | None = None
    """What speaks and hears; None looks for espeak-ng on PATH."""

    @property
    def older(self) -> bool:
        """Whether it looks like Dify 0.15."""
        return self.dialect == "0.15"

    @property
    def newest(self) -> bool:
        """Whether it looks like the newest Dify it knows: a chatflow's run is then a thing of its own, apart from the
        request that began it (Dify 1.13 and later)."""
        return self.dialect == DIALECTS[0]

    @property
    def loopback(self) -> bool:
        """Whether it is this machine alone that can reach it."""
        return self.host.strip("[]").lower() in LOOPBACK

    def check(self) -> None:
        """Raises: ValueError, with a text for people."""
        if not 0 <= self.port <= 65535 or not 0 <= self.pace <= 100 or not 0 <= self.speed <= 1000:
            raise ValueError(t("local.cli.range"))
        if not self.ping_interval > 0:
            raise ValueError(t("local.options.ping"))
        if self.dialect not in DIALECTS:
            raise ValueError(t("local.options.dialect", dialect=self.dialect, known=", ".join(DIALECTS)))
        for origin in self.allow:
            _check_origin("allow", origin)
        for origin in self.cors:
            if origin not in ("*", "null"):
                _check_origin("cors", origin)


def _check_origin(option: str, text: str) -> None:
    """A path in it would promise a bound that is none. Raises: ValueError, for what is no origin."""
    from .engine.fetch import Refused, origin

    try:
        scheme, host, port = origin(text)
        rest = text.strip().partition("://")[2].partition("/")[2]
    except Refused:
        raise ValueError(t("local.options.origin", option=option, text=text)) from None
    if rest or any(character in text for character in "?#"):
        example = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        raise ValueError(t("local.options.origin_only", option=option, text=text, origin=example))


def read_tapes(
    play: Tape | str | os.PathLike[str] | list[Tape | str | os.PathLike[str]] | None,
) -> tuple[Tape, ...]:
    """Tapes out of what `play=` takes: tapes or their files, one or several.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no tape, or a tape is empty.
    """
    from ..tape import Tape

    items = play if isinstance(play, list) else [] if play is None else [play]
    tapes = tuple(item if isinstance(item, Tape) else Tape.load(item) for item in items)
    if any(not tape.entries for tape in tapes):
        raise ValueError(t("local.options.empty_tape"))
    return tapes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line's arguments."""
    parser.add_argument("--port", type=int, default=0, help=t("local.cli.port"))
    parser.add_argument("--host", default="127.0.0.1", help=t("local.cli.host"))
    parser.add_argument("--data-dir", default=None, help=t("local.cli.data_dir"))
    parser.add_argument("--pace", type=float, default=1.0, help=t("local.cli.pace"))
    parser.add_argument("--ping", type=float, default=10.0, metavar="SECONDS", help=t("local.cli.ping"))
    parser.add_argument("--dialect", choices=DIALECTS, default=DIALECTS[0], help=t("local.cli.dialect"))
    parser.add_argument("--faults", nargs="?", const="", default=None, metavar="FAULTS", help=t("local.cli.faults"))
    parser.add_argument("--play", action="append", default=[], metavar="FILE", help=t("local.cli.play"))
    parser.add_argument("--speed", type=float, default=1.0, help=t("local.cli.speed"))
    parser.add_argument("--allow", action="append", default=[], metavar="ORIGIN", help=t("local.cli.allow"))
    parser.add_argument("--app", action="append", default=[], metavar="FILE", help=t("local.cli.app"))
    parser.add_argument("--model-url", default=None, metavar="URL", help=t("local.cli.model_url"))
    parser.add_argument("--model", default=None, metavar="NAME", help=t("local.cli.model"))
    parser.add_argument("--cors", action="append", default=[], metavar="ORIGIN", help=t("local.cli.cors"))


def from_arguments(arguments: argparse.Namespace) -> Options:
    """Options out of what the command line said.

    Raises:
        OSError, ValueError: a tape cannot be read, or a value cannot be.
        DeclarationError: an app cannot be used as it is declared.
    """
    from .engine.declare.apps import resolve
    from .engine.models.choice import Wanted

    faults: bool | tuple[str, ...] = False
    if arguments.faults is not None:
        faults = (arguments.faults,) if arguments.faults else True
    options = Options(
        port=arguments.port,
        host=arguments.host,
        pace=arguments.pace,
        ping_interval=arguments.ping,
        dialect=arguments.dialect,
        faults=faults,
        play=read_tapes(list(arguments.play)),
        speed=arguments.speed,
        apps=resolve(arguments.app, Wanted(url=arguments.model_url, name=arguments.model)),
        allow=tuple(arguments.allow),
        cors=tuple(origin.rstrip("/") for origin in arguments.cors),
    )
    options.check()
    return options
