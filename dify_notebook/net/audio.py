"""Speech, both ways."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import APIError
from ..i18n import t
from ..wire import calls
from . import files as fl
from .bodies import iter_decoded
from .resource import Resource
from .responses import content_type_of, too_large
from .thread import current_owner

#: What Dify calls the sound types that Python's table names otherwise (1.12 refuses audio/mpeg).
_MIME_TYPES = {"audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav", "audio/mp4a-latm": "audio/m4a"}


class AsyncAudio(Resource):
    """Speech: `to_text`, `from_text`, `stream_from_text`."""

    async def to_text(
        self, file: fl.FileLike, *, name: str | None = None, mime_type: str | None = None, user: str | None = None
    ) -> str:
        """What is said in a sound file (mp3, mp4, mpeg, mpga, m4a, wav, webm; 15 MB at most).

        Args:
            file, name, mime_type: as for `files.upload`.

        Returns:
            The text.

        Raises:
            InputError: there is no such file, or it is none.
            APIError: speech to text is off in the app's settings, or the server refused the file.
        """
        call = calls.audio_to_text(user=self._dify.user_or(user))
        with fl.open_file(file, name) as (filename, content):
            kind = mime_type or fl.mime_of(filename)
            answer = await self._dify._send(
                call,
                files={"file": (filename, content, _MIME_TYPES.get(kind, kind))},
                data=dict(call.body or {}),
            )
        return answer.text

    async def from_text(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        voice: str | None = None,
        user: str | None = None,
    ) -> bytes:
        """A text, or the answer of a message, as sound (mp3 unless the server's settings say otherwise).

        Args:
            text: what to say; not needed with a message.
            message_id: of whose answer.
            voice: by the server's name; None is the app's.

        Returns:
            The content of the sound file.

        Raises:
            InputError: neither text nor message.
            APIError: text to speech is off in the app's settings, or there was no sound (`code` is not_audio: of a
                message that the server does not know, say).
            ServerError: it is larger than `Bounds.body`.
        """
        sound, limit = bytearray(), self._dify.bounds.body
        async with aclosing(self.stream_from_text(text, message_id=message_id, voice=voice, user=user)) as parts:
            async for part in parts:
                sound += part
                if len(sound) > limit:
                    raise too_large(limit, None, "POST /text-to-audio")
        return bytes(sound)

    async def stream_from_text(
        self,
        text: str | None = None,
        *,
        message_id: str | None = None,
        voice: str | None = None,
        user: str | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """As `from_text` (with `text`, `message_id`, `voice`), in pieces of bytes as they come, without a bound."""
        call = calls.text_to_audio(text=text, message_id=message_id, voice=voice, user=self._dify.user_or(user))
        async with self._dify._streamed(call, owner=current_owner()) as response:
            kind = content_type_of(response)
            if kind.startswith("text/") or "json" in kind or response.status_code == 204:
                # Dify 1.12 answers 200 and `null` to a message that it does not know.
                raise APIError(
                    t("net.no_sound", kind=kind or "?"),
                    code="not_audio",
                    status=response.status_code,
                    attempted=call.attempted,
                )
            async for chunk in iter_decoded(response):
                yield chunk
