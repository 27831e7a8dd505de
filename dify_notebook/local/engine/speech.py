"""Speaking and hearing, where this machine has something that can.

There is no speech in this package. Where `espeak-ng` is installed it speaks for real; hearing needs
an engine that is given to `serve(speech=...)`. Without one, the API says so instead of making noise.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Protocol

from ...logs import logger
from ..threads import Exited, in_thread

if TYPE_CHECKING:
    from .run import Run

log = logger("dify_notebook.local")

MAX_TEXT = 10_000
"""Characters spoken at once."""
_PIECE = 1200
"""Bytes of sound in one event."""


class NoSpeech(Exception):
    """It cannot be done; the text says why, for people."""


class Speech(Protocol):
    """What speaks and hears. Both are called beside the loop and may take their time."""

    def speak(self, text: str, voice: str, language: str) -> tuple[bytes, str]:
        """Sound and its MIME type. Raises: NoSpeech."""

    def hear(self, sound: bytes, mime_type: str) -> str:
        """What is said in a recording. Raises: NoSpeech."""


class Espeak:
    """espeak-ng, as a program of its own: text goes in by a pipe, WAV comes out."""

    def __init__(self, program: str) -> None:
        self._program = program

    def speak(self, text: str, voice: str, language: str) -> tuple[bytes, str]:
        chosen = language.split("-")[0].lower() or "en"
        chosen = {"zh": "cmn"}.get(chosen, chosen)
        if not chosen.isalpha():
            chosen = "en"
        try:
            done = subprocess.run(
                [self._program, "--stdin", "--stdout", "-v", chosen],
                input=text[:MAX_TEXT].encode(),
                capture_output=True,
                timeout=60,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise NoSpeech(f"espeak-ng did not speak: {error}") from error
        return done.stdout, "audio/wav"

    def hear(self, sound: bytes, mime_type: str) -> str:
        raise NoSpeech("espeak-ng speaks only; this server has no engine that hears")


async def sound_of(speech: Speech, text: str, voice: str, language: str) -> list[str]:
    """The sound of a text in pieces for events, in base64; none where it cannot be spoken, which the log says."""
    try:
        sound, _ = await in_thread(speech.speak, text, voice, language)
    except (NoSpeech, Exited) as error:
        log.warning("an answer could not be spoken: %s", error)
        return []
    return [base64.b64encode(sound[at : at + _PIECE]).decode() for at in range(0, len(sound), _PIECE)]


async def speak(run: Run) -> None:
    """The sound of the answer, after the last event of the text, where the app speaks by itself."""
    voice = run.app.voice
    if voice is None or not voice.auto_play or run.speech is None or not run.listening:
        return
    pieces = await sound_of(run.speech, run.answer, voice.name, voice.language)
    for piece in pieces:
        run.tell("tts_message", audio=piece)
    if pieces:
        run.tell("tts_message_end", audio="")


@cache
def find_speech() -> Speech | None:
    """espeak-ng, where it is on PATH."""
    program = shutil.which("espeak-ng")
    return None if program is None else Espeak(program)
