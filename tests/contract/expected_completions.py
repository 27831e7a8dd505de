"""What a person expects of every recorded stream of a completion app, written as `expected_streams.py` is.

A completion is a chat's answer without a conversation: its message is the only name that it has.
"""

from __future__ import annotations

from contract.expected_turn import Expected, words

E = Expected

HELLO = 'Hello 你好 "q" <b>'


def echo(text: str, *, messages: int = 1) -> str:
    """What the stub model answers."""
    return f"You said: {text} (messages={messages}) 你好 🎉 naïve."


def fails(case: str, ids: str) -> Expected:
    return E(case, ids, "", status="failed", end="error", error_code="completion_request_error")


COMPLETIONS: list[Expected] = [
    # 0.15.3/completion-messages
    E("0.15.3/completion-messages__comp-form-streaming", "bce0 - c1a3 -", echo(HELLO + " from Paris None None None"), tokens=18),
    # The model said nothing, and it was paid.
    E("0.15.3/completion-messages__completion-empty", "398b - 86a9 -", "", tokens=18),
    # The error is the only event: it brings the message, and no task.
    fails("0.15.3/completion-messages__completion-http401-streaming", "1242 - - -"),
    fails("0.15.3/completion-messages__completion-http500-streaming", "2d85 - - -"),
    fails("0.15.3/completion-messages__completion-ratelimit-streaming", "c89d - - -"),
    E("0.15.3/completion-messages__completion-streaming", "3dcf - f66f -", echo(HELLO), tokens=18),
    E("0.15.3/completion-messages__completion-think", "b74e - 1648 -", "Hello after thinking.", reasoning="I should greet.", tokens=18),
    E("0.15.3/completion-messages__err-extra-input", "3b71 - 75eb -", echo(HELLO), tokens=18),
    E("0.15.3/completion-messages__err-form-age-string", "03ca - f61e -", echo(HELLO + " from Paris None None 12"), tokens=18),
    E("0.15.3/completion-messages__err-form-city-13-bytes-cjk", "a456 - 3cfa -", echo(HELLO + " from 北北北北北北北北北北北北 None None None"), tokens=18),
    E("0.15.3/completion-messages__err-int-user", "d395 - 2bdc -", echo(HELLO), tokens=18),
    E("0.15.3/completion-messages__err-query-empty", "bcd8 - 4860 -", echo(""), tokens=18),
    # A query beside the inputs takes the place of the whole prompt.
    E("0.15.3/completion-messages__err-top-level-query-both", "615e - 0212 -", echo("TOPLEVEL", messages=2), tokens=18),
    E("0.15.3/completion-messages__err-with-conversation-id", "8581 - b118 -", echo(HELLO), tokens=18),
    E("0.15.3/completion-messages__file-local-streaming", "cdcb - 7c14 -", echo(HELLO + " from Paris None None None\n [image_url]"), tokens=18),
    # Another user cannot stop it.
    E("0.15.3/completion-messages__stop-wrong-user", "bcdd - 33ef -", words(400), tokens=18, pings=2),
    # Speech comes after the end.
    E("0.15.3/completion-messages__tts-streaming", "c7f1 - f19f -", echo("say hi"), tokens=18, audio_chunks=2),

    # 0.15.3/nginx
    E("0.15.3/nginx__completion-streaming", "1f30 - eacc -", echo("hi"), tokens=18),

    # 1.12.1/completion-messages
    E("1.12.1/completion-messages__comp-form-streaming", "7083 - 8234 -", echo(HELLO + " from Paris None None None"), tokens=18),
    # The model said nothing, and it was paid.
    E("1.12.1/completion-messages__completion-empty", "a8f0 - 10c8 -", "", tokens=18),
    # The error is the only event: it brings the message, and no task.
    fails("1.12.1/completion-messages__completion-http401-streaming", "3cc8 - - -"),
    fails("1.12.1/completion-messages__completion-http500-streaming", "48ab - - -"),
    fails("1.12.1/completion-messages__completion-ratelimit-streaming", "3f2c - - -"),
    E("1.12.1/completion-messages__completion-streaming", "a447 - 3c13 -", echo(HELLO), tokens=18),
    E("1.12.1/completion-messages__completion-think", "2629 - 6400 -", "Hello after thinking.", reasoning="I should greet.", tokens=18),
    E("1.12.1/completion-messages__err-extra-input", "b354 - ca3e -", echo(HELLO), tokens=18),
    E("1.12.1/completion-messages__err-form-age-string", "1ae1 - c739 -", echo(HELLO + " from Paris None None 12"), tokens=18),
    E("1.12.1/completion-messages__err-form-city-13-bytes-cjk", "0485 - 220d -", echo(HELLO + " from 北北北北北北北北北北北北 None None None"), tokens=18),
    E("1.12.1/completion-messages__err-int-user", "7afd - 17cc -", echo(HELLO), tokens=18),
    E("1.12.1/completion-messages__err-query-empty", "3b30 - 50f9 -", echo(""), tokens=18),
    # A query beside the inputs takes the place of the whole prompt.
    E("1.12.1/completion-messages__err-top-level-query-both", "e86a - 00c6 -", echo("TOPLEVEL", messages=2), tokens=18),
    E("1.12.1/completion-messages__err-with-conversation-id", "37b1 - 8efa -", echo(HELLO), tokens=18),
    # This version sends the answer as message_file where a file was sent.
    E("1.12.1/completion-messages__file-local-streaming", "d665 - 32b2 -", echo("[image] " + HELLO + " from Paris None None None"), tokens=18),
    # Another user cannot stop it.
    E("1.12.1/completion-messages__stop-wrong-user", "e13a - de96 -", words(400), tokens=18, pings=2),
    # Speech comes after the end.
    E("1.12.1/completion-messages__tts-streaming", "a0e6 - a887 -", echo("say hi"), tokens=18, audio_chunks=5),

    # 1.12.1/nginx
    E("1.12.1/nginx__completion-streaming", "9cbe - 9f23 -", echo("hi"), tokens=18),

    # 1.16.1/completion-messages
    fails("1.16.1/completion-messages__completion-fail", "500b - - -"),
    E("1.16.1/completion-messages__completion-streaming", "3e18 - 7eb7 -", words(5), tokens=12),
]
