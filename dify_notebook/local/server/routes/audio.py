"""Sound: reading aloud, and listening, where this machine has something that can."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ...api_error import ApiError, invalid
from ...engine.app import FILE_LIMITS, MEGABYTE
from ...engine.speech import NoSpeech
from ...responses import VERSION_HEADERS, reply
from ...store.conversations import Conversations
from ...store.store import NotFound
from ...text import media_type
from ...threads import Exited, in_thread
from ..context import app_of, context_of
from ..payloads import is_uuid, json_body, speech_request, uploaded

_AUDIO_TYPES = frozenset(f"audio/{kind}" for kind in ("mp3", "m4a", "wav", "amr", "mpga", "webm", "mpeg", "mp4"))
_PIECE = 1024
"""Bytes of sound in one piece of the answer."""


async def to_text(request: Request) -> Response:
    """POST /audio-to-text."""
    app, context = app_of(request), context_of(request)
    async with uploaded(request, "no_audio_uploaded", "Please upload your audio.") as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise ApiError(400, "no_audio_uploaded", "Please upload your audio.")
        if not app.hears:
            raise ApiError(400, "speech_to_text_disabled", "Speech to text is disabled.")
        mime_type = media_type(file.content_type)
        if mime_type not in _AUDIO_TYPES:
            raise ApiError(415, "unsupported_audio_type", "Audio type not allowed.")
        limit = FILE_LIMITS["audio_file_size_limit"]
        sound = await file.read(limit * MEGABYTE + 1)
    if len(sound) > limit * MEGABYTE:
        raise ApiError(413, "audio_too_large", f"Audio size larger than {limit} mb")
    if context.speech is None:
        raise ApiError(400, "provider_not_support_speech_to_text", "This server has no engine that hears.")
    try:
        text = await in_thread(context.speech.hear, sound, mime_type)
    except (NoSpeech, Exited) as error:
        raise ApiError(400, "provider_not_support_speech_to_text", str(error)) from None
    return reply({"text": text})


async def from_text(request: Request) -> Response:
    """POST /text-to-audio. A message that is not there gives `null`, as with the real one."""
    app, context = app_of(request), context_of(request)
    payload = speech_request(await json_body(request))
    if payload.message_id is None and payload.text is None:
        raise invalid("Text is required")
    if payload.message_id is not None:
        if not is_uuid(payload.message_id):
            return reply(None)
        try:
            text = await Conversations(context.store).answer_of(app.name, payload.message_id.lower())
        except NotFound:
            return reply(None)
    else:
        text = payload.text or ""
    if app.voice is None:
        raise invalid("TTS is not enabled")
    if context.speech is None:
        raise ApiError(400, "provider_not_initialize", "This server has no engine that speaks.")
    voice = payload.voice or app.voice.name
    try:
        sound, kind = await in_thread(context.speech.speak, text, voice, app.voice.language)
    except (NoSpeech, Exited) as error:
        raise ApiError(400, "completion_request_error", str(error)) from None

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(sound), _PIECE):
            yield sound[at : at + _PIECE]

    return StreamingResponse(pieces(), headers={**VERSION_HEADERS, "Content-Type": kind})
