"""What a person expects of files and sound.

How the table was made stands in `expected_exchanges.py`.
"""


from __future__ import annotations

from contract.expected_outcomes import (
    BAD_KEY,
    NO_PART,
    NO_ROUTE,
    NO_SPEECH_TO_TEXT,
    NO_TEXT_TO_SPEECH,
    Content,
    Refused,
    Text,
    Upload,
    invalid,
)
from contract.expected_outcomes import Expected as E

PNG = b"\x89PNG\r\n\x1a\n"
HEARD = Text("hello from the stub transcription")
SPEECH = Content(4407, b"ID3\x04\x00\x00\x00\x00", "audio/mpeg")
NO_TEXT = invalid("Text is required")
NO_FILE = Refused(400, "no_file_uploaded", "Please upload your file.")
NO_NAME = Refused(400, "filename_not_exists_error", "The specified filename does not exist.")
NO_TYPE = Refused(415, "unsupported_file_type", "File type not allowed.")
NO_AUDIO = Refused(415, "unsupported_audio_type", "Audio type not allowed.")
TOO_LARGE = Refused(413, "file_too_large", "File size exceeded. {message}")
NOT_IN_A_MESSAGE = Refused(404, "file_not_found", "File not found in message context", "NotFoundError")

# 200 with the JSON null where sound was asked for: Dify found nothing to speak, since there is no such
# message. It is Dify that answers, and it is well, so this is no ServerError; what is wrong is in the request.
NOTHING_TO_SAY = Refused(200, None)

FILES = [
    # 0.15.3/files-upload
    E("0.15.3/files-upload__agent-chat-png", "files.upload",
      Upload("291d", "dot.png", 73, "png", "image/png", "dbea", "2026-11-21T09:39:30Z")),
    E("0.15.3/files-upload__bad-key", "files.upload", BAD_KEY),
    E("0.15.3/files-upload__basic-chat-empty", "files.upload",
      Upload("9ce0", "empty.png", 0, "png", "image/png", "7954", "2026-11-21T09:06:54Z")),
    # Everything is taken; what an app refuses, it refuses when a message uses it.
    E("0.15.3/files-upload__basic-chat-exe", "files.upload",
      Upload("b587", "evil.exe", 2, "exe", "application/x-msdownload", "7954", "2026-11-21T09:06:55Z")),
    # The placeholder is the server's.
    E("0.15.3/files-upload__basic-chat-image-11MB", "files.upload", TOO_LARGE),
    E("0.15.3/files-upload__basic-chat-json-instead", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__basic-chat-long-name", "files.upload",
      Upload("2afd", "n" * 200 + ".png", 73, "png", "image/png", "7954", "2026-11-21T09:06:55Z")),
    # The extension is the whole name in this version, and the empty text in the later one.
    E("0.15.3/files-upload__basic-chat-no-ext", "files.upload",
      Upload("ad86", "README", 1, "readme", "text/plain", "7954", "2026-11-21T09:06:55Z")),
    E("0.15.3/files-upload__basic-chat-no-file", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__basic-chat-no-filename", None, NO_NAME, "a file always has a name"),
    E("0.15.3/files-upload__basic-chat-no-mimetype", None, NO_TYPE, "a file always has a type"),
    # A user of the server's own.
    E("0.15.3/files-upload__basic-chat-no-user", None,
      Upload("d487", "x.png", 73, "png", "image/png", "aaf9", "2026-11-21T09:06:55Z"), "always names its user"),
    E("0.15.3/files-upload__basic-chat-png", "files.upload",
      Upload("e71a", "red dot 你.png", 73, "png", "image/png", "7954", "2026-11-21T09:06:54Z")),
    E("0.15.3/files-upload__basic-chat-wrong-field", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__chatflow-image-11MB", "files.upload", TOO_LARGE),
    E("0.15.3/files-upload__chatflow-long-name", "files.upload",
      Upload("63a4", "n" * 200 + ".png", 73, "png", "image/png", "aee5", "2026-11-21T09:06:57Z")),
    E("0.15.3/files-upload__chatflow-no-ext", "files.upload",
      Upload("6cfd", "README", 1, "readme", "text/plain", "aee5", "2026-11-21T09:06:57Z")),
    E("0.15.3/files-upload__chatflow-no-file", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__chatflow-no-mimetype", None, NO_TYPE, "a file always has a type"),
    E("0.15.3/files-upload__chatflow-no-user", None,
      Upload("76e0", "x.png", 73, "png", "image/png", "0e85", "2026-11-21T09:06:57Z"), "always names its user"),
    # The name is kept with its slash.
    E("0.15.3/files-upload__chatflow-slash-name", "files.upload",
      Upload("8319", "a/b.png", 73, "png", "image/png", "aee5", "2026-11-21T09:06:57Z")),
    E("0.15.3/files-upload__chatflow-svg", "files.upload",
      Upload("590c", "x.svg", 41, "svg", "image/svg+xml", "aee5", "2026-11-21T09:06:57Z")),
    E("0.15.3/files-upload__chatflow-two-files", None,
      Refused(400, "too_many_files", "Only one file is allowed."), "one file at a time"),
    E("0.15.3/files-upload__chatflow-txt", "files.upload",
      Upload("b866", "note.txt", 10, "txt", "text/plain", "aee5", "2026-11-21T09:06:57Z")),
    E("0.15.3/files-upload__chatflow-wrong-field", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__enduser-seed", "files.upload",
      Upload("1492", "x.png", 73, "png", "image/png", "6110", "2026-11-21T09:10:55Z")),
    E("0.15.3/files-upload__plain-chat-empty", "files.upload",
      Upload("c52d", "empty.png", 0, "png", "image/png", "96cc", "2026-11-21T09:07:01Z")),
    E("0.15.3/files-upload__plain-chat-exe", "files.upload",
      Upload("2c02", "evil.exe", 2, "exe", "application/x-msdownload", "96cc", "2026-11-21T09:07:01Z")),
    E("0.15.3/files-upload__plain-chat-json-instead", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__plain-chat-long-name", "files.upload",
      Upload("43f3", "n" * 200 + ".png", 73, "png", "image/png", "96cc", "2026-11-21T09:07:01Z")),
    E("0.15.3/files-upload__plain-chat-no-file", None, NO_PART, "always has the file"),
    E("0.15.3/files-upload__plain-chat-no-filename", None, NO_NAME, "a file always has a name"),
    E("0.15.3/files-upload__plain-chat-no-user", None,
      Upload("1fb6", "x.png", 73, "png", "image/png", "d691", "2026-11-21T09:07:01Z"), "always names its user"),
    E("0.15.3/files-upload__plain-chat-png", "files.upload",
      Upload("201f", "red dot 你.png", 73, "png", "image/png", "96cc", "2026-11-21T09:07:01Z")),
    E("0.15.3/files-upload__plain-chat-svg", "files.upload",
      Upload("6461", "x.svg", 41, "svg", "image/svg+xml", "96cc", "2026-11-21T09:07:01Z")),
    E("0.15.3/files-upload__plain-chat-txt", "files.upload",
      Upload("2ae6", "note.txt", 10, "txt", "text/plain", "96cc", "2026-11-21T09:07:01Z")),

    # 0.15.3/files-preview
    # This version has no such route: files are reached by the signed addresses of messages only.
    E("0.15.3/files-preview__basic-chat-attachment", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__basic-chat-bogus", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__basic-chat-malformed", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__basic-chat-no-user", None, NO_ROUTE, "always names its user"),
    E("0.15.3/files-preview__basic-chat-other-user", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__basic-chat-range", None, NO_ROUTE, "asks for the whole"),
    E("0.15.3/files-preview__basic-chat-txt-unused-in-message", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__chatflow-attachment", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__chatflow-malformed", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__chatflow-ok", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__chatflow-other-user", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__chatflow-range", None, NO_ROUTE, "asks for the whole"),
    E("0.15.3/files-preview__plain-chat-attachment", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__plain-chat-bogus", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__plain-chat-malformed", "files.download", NO_ROUTE),
    E("0.15.3/files-preview__plain-chat-no-user", None, NO_ROUTE, "always names its user"),
    E("0.15.3/files-preview__plain-chat-txt-unused-in-message", "files.download", NO_ROUTE),

    # 0.15.3/audio-to-text
    # An empty sound was transcribed too: it is the stand-in's text.
    E("0.15.3/audio-to-text__basic-chat-empty", "audio.to_text", HEARD),
    E("0.15.3/audio-to-text__basic-chat-mp3", "audio.to_text", HEARD),
    E("0.15.3/audio-to-text__basic-chat-mpeg", "audio.to_text", HEARD),
    E("0.15.3/audio-to-text__basic-chat-no-user", None, HEARD, "always names its user"),
    E("0.15.3/audio-to-text__basic-chat-txt", "audio.to_text", NO_AUDIO),
    E("0.15.3/audio-to-text__basic-chat-wav-mime", "audio.to_text", HEARD),
    E("0.15.3/audio-to-text__chatflow-empty", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__chatflow-mp3", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__chatflow-mpeg", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__chatflow-no-file", None, NO_PART, "always has the file"),
    E("0.15.3/audio-to-text__chatflow-no-user", None, NO_SPEECH_TO_TEXT, "always names its user"),
    E("0.15.3/audio-to-text__chatflow-txt", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__chatflow-wav-mime", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__chatflow-webm", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__chatflow-webm-codecs", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__plain-chat-empty", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__plain-chat-mp3", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__plain-chat-no-user", None, NO_SPEECH_TO_TEXT, "always names its user"),
    E("0.15.3/audio-to-text__plain-chat-txt", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("0.15.3/audio-to-text__plain-chat-wav-mime", "audio.to_text", NO_SPEECH_TO_TEXT),

    # 0.15.3/text-to-audio
    E("0.15.3/text-to-audio__basic-chat-bogus-message", "audio.from_text", NOTHING_TO_SAY),
    E("0.15.3/text-to-audio__basic-chat-message", "audio.from_text", SPEECH),
    E("0.15.3/text-to-audio__basic-chat-no-user", None, SPEECH, "always names its user"),
    E("0.15.3/text-to-audio__basic-chat-voice", "audio.from_text", SPEECH),
    E("0.15.3/text-to-audio__chatflow-bad-voice", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__chatflow-bogus-message", "audio.from_text", NOTHING_TO_SAY),
    E("0.15.3/text-to-audio__chatflow-empty-text", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__chatflow-malformed-message", "audio.from_text", NOTHING_TO_SAY),
    E("0.15.3/text-to-audio__chatflow-message", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__chatflow-no-user", None, NO_TEXT_TO_SPEECH, "always names its user"),
    E("0.15.3/text-to-audio__chatflow-text-streaming", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__chatflow-voice", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__plain-chat-bad-voice", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__plain-chat-bogus-message", "audio.from_text", NOTHING_TO_SAY),
    E("0.15.3/text-to-audio__plain-chat-message", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__plain-chat-no-user", None, NO_TEXT_TO_SPEECH, "always names its user"),
    E("0.15.3/text-to-audio__plain-chat-none", None, NO_TEXT, "a text or a message", refuses=True),
    E("0.15.3/text-to-audio__plain-chat-text", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("0.15.3/text-to-audio__plain-chat-text-streaming", "audio.from_text", NO_TEXT_TO_SPEECH),

    # 1.12.1/files-upload
    E("1.12.1/files-upload__agent-chat-png", "files.upload",
      Upload("d9f6", "dot.png", 73, "png", "image/png", "ba27", "2026-11-21T09:39:33Z", source_url=True)),
    E("1.12.1/files-upload__basic-chat-empty", "files.upload",
      Upload("d7b0", "empty.png", 0, "png", "image/png", "a165", "2026-11-21T09:11:31Z", source_url=True)),
    E("1.12.1/files-upload__basic-chat-exe", "files.upload",
      Upload("9781", "evil.exe", 2, "exe", "application/x-msdownload", "a165", "2026-11-21T09:11:31Z",
        source_url=True)),
    E("1.12.1/files-upload__basic-chat-image-11MB", "files.upload", TOO_LARGE),
    E("1.12.1/files-upload__basic-chat-long-name", "files.upload",
      Upload("9aa8", "n" * 200 + ".png", 73, "png", "image/png", "a165", "2026-11-21T09:11:31Z", source_url=True)),
    E("1.12.1/files-upload__basic-chat-no-file", None, NO_FILE, "always has the file"),
    E("1.12.1/files-upload__basic-chat-no-filename", None, NO_NAME, "a file always has a name"),
    E("1.12.1/files-upload__basic-chat-no-user", None,
      Upload("e1d1", "x.png", 73, "png", "image/png", "b340", "2026-11-21T09:11:31Z", source_url=True),
        "always names its user"),
    E("1.12.1/files-upload__basic-chat-png", "files.upload",
      Upload("5a48", "red dot 你.png", 73, "png", "image/png", "a165", "2026-11-21T09:11:31Z", source_url=True)),
    E("1.12.1/files-upload__basic-chat-png2", "files.upload",
      Upload("0c1d", "dot.png", 73, "png", "image/png", "a165", "2026-11-21T09:39:36Z", source_url=True)),
    # Refused here, kept by the earlier version.
    E("1.12.1/files-upload__basic-chat-slash-name", "files.upload", invalid("Filename contains invalid characters")),
    E("1.12.1/files-upload__basic-chat-svg", "files.upload",
      Upload("eda3", "x.svg", 41, "svg", "image/svg+xml", "a165", "2026-11-21T09:11:31Z", source_url=True)),
    E("1.12.1/files-upload__basic-chat-txt", "files.upload",
      Upload("637c", "note.txt", 10, "txt", "text/plain", "a165", "2026-11-21T09:11:31Z", source_url=True)),
    E("1.12.1/files-upload__basic-chat-wrong-field", None, NO_FILE, "always has the file"),
    E("1.12.1/files-upload__chatflow-empty", "files.upload",
      Upload("9ffd", "empty.png", 0, "png", "image/png", "5ab9", "2026-11-21T09:11:38Z", source_url=True)),
    E("1.12.1/files-upload__chatflow-exe", "files.upload",
      Upload("6a4c", "evil.exe", 2, "exe", "application/x-msdownload", "5ab9", "2026-11-21T09:11:38Z",
        source_url=True)),
    E("1.12.1/files-upload__chatflow-json-instead", None, NO_FILE, "always has the file"),
    E("1.12.1/files-upload__chatflow-no-mimetype", None, NO_TYPE, "a file always has a type"),
    E("1.12.1/files-upload__chatflow-no-user", None,
      Upload("ca06", "x.png", 73, "png", "image/png", "bada", "2026-11-21T09:11:38Z", source_url=True),
        "always names its user"),
    E("1.12.1/files-upload__chatflow-slash-name", "files.upload", invalid("Filename contains invalid characters")),
    E("1.12.1/files-upload__chatflow-two-files", None,
      Refused(400, "too_many_files", "Only one file is allowed."), "one file at a time"),
    E("1.12.1/files-upload__chatflow-txt", "files.upload",
      Upload("7b8f", "note.txt", 10, "txt", "text/plain", "5ab9", "2026-11-21T09:11:38Z", source_url=True)),
    E("1.12.1/files-upload__enduser-seed", "files.upload",
      Upload("fdc4", "x.png", 73, "png", "image/png", "e307", "2026-11-21T09:16:33Z", source_url=True)),
    E("1.12.1/files-upload__plain-chat-empty", "files.upload",
      Upload("e9e6", "empty.png", 0, "png", "image/png", "ab57", "2026-11-21T09:11:47Z", source_url=True)),
    E("1.12.1/files-upload__plain-chat-long-name", "files.upload",
      Upload("0bea", "n" * 200 + ".png", 73, "png", "image/png", "ab57", "2026-11-21T09:11:47Z", source_url=True)),
    E("1.12.1/files-upload__plain-chat-no-ext", "files.upload",
      Upload("688d", "README", 1, "", "text/plain", "ab57", "2026-11-21T09:11:47Z", source_url=True)),
    E("1.12.1/files-upload__plain-chat-no-filename", None, NO_NAME, "a file always has a name"),
    E("1.12.1/files-upload__plain-chat-no-user", None,
      Upload("65a4", "x.png", 73, "png", "image/png", "fcdf", "2026-11-21T09:11:47Z", source_url=True),
        "always names its user"),
    E("1.12.1/files-upload__plain-chat-png", "files.upload",
      Upload("2615", "red dot 你.png", 73, "png", "image/png", "ab57", "2026-11-21T09:11:47Z", source_url=True)),
    E("1.12.1/files-upload__plain-chat-slash-name", "files.upload", invalid("Filename contains invalid characters")),
    E("1.12.1/files-upload__plain-chat-txt", "files.upload",
      Upload("e67f", "note.txt", 10, "txt", "text/plain", "ab57", "2026-11-21T09:11:47Z", source_url=True)),
    E("1.12.1/files-upload__plain-chat-wrong-field", None, NO_FILE, "always has the file"),

    # 1.12.1/files-preview
    # The type is lost to the attachment.
    E("1.12.1/files-preview__basic-chat-attachment", "files.download",
      Content(73, PNG, "application/octet-stream", name="red dot 你.png")),
    E("1.12.1/files-preview__basic-chat-malformed", "files.download", NO_ROUTE),
    E("1.12.1/files-preview__chatflow-bogus", "files.download", NOT_IN_A_MESSAGE),
    E("1.12.1/files-preview__chatflow-malformed", "files.download", NO_ROUTE),
    E("1.12.1/files-preview__chatflow-no-user", None, Content(73, PNG, "image/png"), "always names its user"),
    E("1.12.1/files-preview__chatflow-ok", "files.download", Content(73, PNG, "image/png")),
    E("1.12.1/files-preview__chatflow-other-user", "files.download", Content(73, PNG, "image/png")),
    # 200 and everything: ranges are not known.
    E("1.12.1/files-preview__chatflow-range", None, Content(73, PNG, "image/png"), "asks for the whole"),
    # Named unused, but a message had used it by then.
    E("1.12.1/files-preview__chatflow-txt-unused-in-message", "files.download",
      Content(10, b"hello text", "text/plain; charset=utf-8")),
    E("1.12.1/files-preview__plain-chat-malformed", "files.download", NO_ROUTE),
    # Named ok, but no message of this app can have a file.
    E("1.12.1/files-preview__plain-chat-ok", "files.download", NOT_IN_A_MESSAGE),

    # 1.12.1/audio-to-text
    E("1.12.1/audio-to-text__basic-chat-empty", "audio.to_text", HEARD),
    E("1.12.1/audio-to-text__basic-chat-mp3", "audio.to_text", HEARD),
    E("1.12.1/audio-to-text__basic-chat-no-file", None, NO_PART, "always has the file"),
    E("1.12.1/audio-to-text__basic-chat-txt", "audio.to_text", NO_AUDIO),
    E("1.12.1/audio-to-text__basic-chat-webm", "audio.to_text", NO_AUDIO),
    E("1.12.1/audio-to-text__chatflow-mp3", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__chatflow-mpeg", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__chatflow-no-user", None, NO_SPEECH_TO_TEXT, "always names its user"),
    E("1.12.1/audio-to-text__chatflow-txt", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__chatflow-wav-mime", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__chatflow-webm", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__chatflow-webm-codecs", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__plain-chat-no-user", None, NO_SPEECH_TO_TEXT, "always names its user"),
    E("1.12.1/audio-to-text__plain-chat-txt", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__plain-chat-wav-mime", "audio.to_text", NO_SPEECH_TO_TEXT),
    E("1.12.1/audio-to-text__plain-chat-webm", "audio.to_text", NO_SPEECH_TO_TEXT),

    # 1.12.1/text-to-audio
    E("1.12.1/text-to-audio__basic-chat-bad-voice", "audio.from_text", SPEECH),
    # The empty text is spoken where speech is on.
    E("1.12.1/text-to-audio__basic-chat-empty-text", "audio.from_text", SPEECH),
    E("1.12.1/text-to-audio__basic-chat-malformed-message", "audio.from_text", NOTHING_TO_SAY),
    E("1.12.1/text-to-audio__basic-chat-message", "audio.from_text", SPEECH),
    E("1.12.1/text-to-audio__basic-chat-no-user", None, SPEECH, "always names its user"),
    E("1.12.1/text-to-audio__basic-chat-none", None, NO_TEXT, "a text or a message", refuses=True),
    E("1.12.1/text-to-audio__basic-chat-text-streaming", "audio.from_text", SPEECH),
    # Speech is off in this app, and a voice that is named gets it all the same.
    E("1.12.1/text-to-audio__chatflow-bad-voice", "audio.from_text", SPEECH),
    E("1.12.1/text-to-audio__chatflow-bogus-message", "audio.from_text", NOTHING_TO_SAY),
    E("1.12.1/text-to-audio__chatflow-empty-text", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__chatflow-message", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__chatflow-no-user", None, NO_TEXT_TO_SPEECH, "always names its user"),
    E("1.12.1/text-to-audio__chatflow-none", None, NO_TEXT, "a text or a message", refuses=True),
    E("1.12.1/text-to-audio__chatflow-text", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__chatflow-text-streaming", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__chatflow-voice", "audio.from_text", SPEECH),
    E("1.12.1/text-to-audio__plain-chat-bad-voice", "audio.from_text", SPEECH),
    E("1.12.1/text-to-audio__plain-chat-bogus-message", "audio.from_text", NOTHING_TO_SAY),
    E("1.12.1/text-to-audio__plain-chat-empty-text", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__plain-chat-malformed-message", "audio.from_text", NOTHING_TO_SAY),
    E("1.12.1/text-to-audio__plain-chat-message", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__plain-chat-no-user", None, NO_TEXT_TO_SPEECH, "always names its user"),
    E("1.12.1/text-to-audio__plain-chat-text", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__plain-chat-text-streaming", "audio.from_text", NO_TEXT_TO_SPEECH),
    E("1.12.1/text-to-audio__plain-chat-voice", "audio.from_text", SPEECH),
]
