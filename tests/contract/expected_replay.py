"""Which recorded exchanges the embedded server answers otherwise, by Dify's version, each with its reason.

`NOT_HERE`: the recorded app or machine cannot be said on this server. `DIFFERS`: it could, and is answered otherwise.
"""

from __future__ import annotations

_NEVER_HERE = {
    # A node that runs foreign code.
    "*__failflow-code-*ing": "a node with code of its own",
    # What a proxy says of a server that is down, or for itself.
    "nginx__upstream-down-502*": "a proxy without its server",
    "nginx__upload-16MB-413": "a proxy's own limit",
}
NOT_HERE = {
    "1.16.1": {
        "*__newagent-*": "an app of the kind agent",
        "*__roster-agent-*": "an app of the kind agent",
        "*__agentflow-*": "an agent node of a plugin",
    },
    "1.12.1": {
        **_NEVER_HERE,
        "chat-messages__richflow-streaming": "a tool node of a plugin",
        "chat-messages__agentflow-*": "an agent node of a plugin",
        "messages__agentflow-toolerr": "an agent node of a plugin",
        "nginx__outside-v1-404": "a proxy's own page",
        "health__ok": "not of the Service API",
        # The recorder stopped or left in the middle; the tests of streams do that with clocks.
        "chat-messages-stop__chatflow-stopped-*": "a stop in the middle",
    },
    "0.15.3": {
        **_NEVER_HERE,
        "chat-messages__agent-file-qr": "a tool of Dify's own that makes pictures",
        "*__plain-chat-annotation-*": "this version has no operation that writes an annotation",
        "chat-messages-files__*-file-remote": "the recorded model could not fetch the file",
        "chat-messages-stop__agent-chat-stopped-by-same-user": "a stop in the middle",
    },
}
DIFFERS = {
    "1.16.1": {
        # It crashes with a 500, or says something else than its documents: here it is as documented.
        "annotation-reply__*-frobnicate": "any other action is a 500 there",
        "audio-to-text__basic-chat-webm": "a documented type is refused there",
        "chat-messages-errors__*-array": "a body that is no object is a 500 there",
        "chat-messages-errors__*-long-user": "a long user is a 500 there",
        "conversation-variables__*-by-name": "variable_name is a 500 there",
        # Where this server is stricter on purpose.
        "chat-messages-errors__fileflow-flag-text": "a text that is no boolean ticks a box there",
        # What the recorded app's stored settings lack.
        "chat-messages-errors__ghost-provider-streaming": "a model provider that does not exist",
        "parameters__basic-chat-ok": "no autoPlay in the stored settings",
    },
    "1.12.1": {
        # 1.12.1 crashes with a 500, or says something else than its documents: here it is as documented.
        "annotation-reply__*-frobnicate": "any other action is a 500 there",
        "audio-to-text__basic-chat-no-file": "another code than the documented no_audio_uploaded",
        "audio-to-text__basic-chat-webm": "a documented type is refused there",
        "chat-messages-errors__*-json-array": "a body that is no object is a 500 there",
        "chat-messages-errors__basic-chat-long-user": "a long user is a 500 there",
        "conversation-variables__*-by-name*": "variable_name is a 500 there",
        "conversation-variables__*-last_id-bogus": "400 without a message there, 404 in the documents",
        "delete__*-again": "204 for anything there, 404 in the documents",
        "delete__*-bogus": "204 for anything there, 404 in the documents",
        "delete__*-no-user": "204 for anything there, 404 in the documents",
        "delete__*-other-user*": "another user's conversation is deleted there",
        "end-users__bogus": "the route is not in 1.12.1; the documents have end_user_not_found",
        "rename__*-long": "a long name is a 500 there",
        "suggested__*-after-delete": "a 500 there",
        # Where this server is stricter on purpose.
        "chat-messages-errors__*-file-remote-no-url": "a file without an address is accepted there",
        "text-to-audio__*-bad-voice": "a named voice speaks there although speech is off",
        "text-to-audio__*-voice": "a named voice speaks there although speech is off",
        "root__bare-404": "this server has a page of its own outside /v1",
        # What the recorded app's stored settings lack.
        "parameters__ghost-provider": "no voice and language in the stored settings",
        "parameters__no-model": "no voice and language in the stored settings",
    },
    "0.15.3": {
        # It crashes, or forgets to fail: here it is as documented.
        "chat-messages-errors__*-json-array": "a body that is no object is a 500 there",
        "chat-messages-llm-errors__plain-chat-midfail-blocking": "half an answer counts as whole there",
        "rename__*-auto-false-no-name": "a rename without a name is a 500 there",
        "rename__*-long": "a long name is a 500 there",
        "rename__*-name-null": "a rename without a name is a 500 there",
        "rename__*-neither": "a rename without a name is a 500 there",
        "suggested__*-after-delete": "a 500 there",
        # Where this server is stricter on purpose, or has more to say.
        "files-upload__chatflow-slash-name": "a name with a slash is accepted there",
        "chat-messages-moderation__mod-flow-input-blocked-blocking": "usage is told in one piece, though all of it is 0",
        # What the recorded app's stored settings lack.
        "chat-messages-errors__ghost-provider-streaming": "a model provider that does not exist",
        "parameters__ghost-provider": "no voice and language in the stored settings",
    },
}
