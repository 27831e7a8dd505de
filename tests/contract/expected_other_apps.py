"""What a person expects of workflow and completion apps, but for runs: what they tell of themselves, refusals, ratings.

How the table was made stands in `expected_exchanges.py`.
"""


from __future__ import annotations

from contract.expected_apps import NOT_WORKFLOW, icon
from contract.expected_outcomes import (
    DISABLED,
    NO_MESSAGE,
    NO_ROUTE,
    NO_USER,
    NOT_CHAT,
    NOT_JSON,
    NOTHING_TO_REVOKE,
    UNAVAILABLE,
    Content,
    Done,
    Feedbacks,
    Info,
    Meta,
    Parameters,
    Refused,
    Site,
    invalid,
)
from contract.expected_outcomes import Expected as E

OTHER_APPS = [
    # 0.15.3/app-feedbacks
    E("0.15.3/app-feedbacks__wf-llm", "app.feedbacks", NO_ROUTE),

    # 0.15.3/chat-messages
    E("0.15.3/chat-messages__wrong-mode-wf-llm", "chat.send", NOT_CHAT),

    # 0.15.3/completion-feedback
    E("0.15.3/completion-feedback__bogus", "messages.feedback", NO_MESSAGE),
    E("0.15.3/completion-feedback__failed-message", "messages.feedback", Done()),
    E("0.15.3/completion-feedback__like", "messages.feedback", Done()),
    E("0.15.3/completion-feedback__no-rating", None, NOTHING_TO_REVOKE, "always tells the rating, null to revoke it"),
    E("0.15.3/completion-feedback__null-again", "messages.feedback", NOTHING_TO_REVOKE),
    E("0.15.3/completion-feedback__other-user", "messages.feedback", NO_MESSAGE),

    # 0.15.3/completion-messages
    E("0.15.3/completion-messages__completion-http401-blocking", "completion.send",
      Refused(400, "completion_request_error", "[openai_api_compatible] Error: API request failed ")),
    E("0.15.3/completion-messages__completion-ratelimit-blocking", "completion.send",
      Refused(400, "completion_request_error", "[openai_api_compatible] Error: API request failed ")),
    E("0.15.3/completion-messages__err-bad-response-mode", None,
      invalid("sideways is not a valid choice"), "streaming or blocking"),
    E("0.15.3/completion-messages__err-empty-user", None, NO_USER, "a user has 1 to 255 characters"),
    E("0.15.3/completion-messages__err-files-when-off", "completion.send", invalid("Invalid upload file")),
    E("0.15.3/completion-messages__err-form-city-missing", "completion.send",
      invalid("city is required in input form")),
    E("0.15.3/completion-messages__err-form-tone-bad", "completion.send",
      invalid("tone in input form must be one of the following: ['formal', ")),
    E("0.15.3/completion-messages__err-get-405", None,
      Refused(405, "method_not_allowed", "The method is not allowed for the requested URL."), "no such request"),
    E("0.15.3/completion-messages__err-inputs-list", None,
      invalid("query is required in input form"), "inputs are a dict"),
    E("0.15.3/completion-messages__err-missing-inputs", None,
      invalid("Missing required parameter in the JSON body"), "always has inputs"),
    E("0.15.3/completion-messages__err-missing-required-blocking", "completion.send",
      invalid("query is required in input form")),
    E("0.15.3/completion-messages__err-missing-required-streaming", "completion.send",
      invalid("query is required in input form")),
    E("0.15.3/completion-messages__err-missing-user", None, NO_USER, "always names its user"),
    E("0.15.3/completion-messages__err-no-content-type", None, NOT_JSON, "always has a body"),
    E("0.15.3/completion-messages__err-query-list", "completion.send",
      invalid("(type 'paragraph') query in input form must be a string")),
    E("0.15.3/completion-messages__err-query-null", "completion.send", invalid("query is required in input form")),
    E("0.15.3/completion-messages__file-bogus", "completion.send", invalid("Invalid upload file")),
    E("0.15.3/completion-messages__wrong-mode-wf-llm", "completion.send", UNAVAILABLE),
    E("0.15.3/completion-messages__wrong-mode-workflow", "completion.send", UNAVAILABLE),

    # 0.15.3/completion-stop
    E("0.15.3/completion-stop__bogus", "completion.stop", Done()),
    E("0.15.3/completion-stop__chat-stop-on-completion-app", "chat.stop", NOT_CHAT),
    E("0.15.3/completion-stop__finished", "completion.stop", Done()),
    E("0.15.3/completion-stop__get-405", None,
      Refused(405, "method_not_allowed", "The method is not allowed for the requested URL."), "no such request"),
    E("0.15.3/completion-stop__no-body", None, NOT_JSON, "always has a body"),
    E("0.15.3/completion-stop__not-uuid", "completion.stop", Done()),
    E("0.15.3/completion-stop__right-user", "completion.stop", Done()),
    E("0.15.3/completion-stop__workflow-stop-on-completion-app", "workflows.stop", NOT_WORKFLOW),
    E("0.15.3/completion-stop__wrong-mode-plain-chat", "completion.stop", UNAVAILABLE),
    E("0.15.3/completion-stop__wrong-user", "completion.stop", Done()),

    # 0.15.3/conversations
    E("0.15.3/conversations__completion-app", "conversations.list", NOT_CHAT),

    # 0.15.3/feedbacks
    E("0.15.3/feedbacks__wf-bogus", "messages.feedback", NO_MESSAGE),

    # 0.15.3/info
    E("0.15.3/info__comp-form", "app.info", Info("comp-form", "comp-form")),
    E("0.15.3/info__comp-mod", "app.info", Info("comp-mod", "comp-mod")),
    E("0.15.3/info__comp-tts", "app.info", Info("comp-tts", "comp-tts")),
    E("0.15.3/info__wf-disabled", "app.info", DISABLED),
    E("0.15.3/info__wf-fail", "app.info", Info("wf-fail", "wf-fail app")),
    E("0.15.3/info__wf-file", "app.info", Info("wf-file", "wf-file app")),
    E("0.15.3/info__wf-form", "app.info", Info("wf-form", "wf-form app")),
    E("0.15.3/info__wf-llm", "app.info", Info("wf-llm", "wf-llm app")),
    E("0.15.3/info__wf-mod", "app.info", Info("wf-mod", "wf-mod app")),
    E("0.15.3/info__wf-par", "app.info", Info("wf-par", "wf-par app")),
    E("0.15.3/info__wf-slow", "app.info", Info("wf-slow", "wf-slow app")),
    E("0.15.3/info__wf-two", "app.info", Info("wf-two", "wf-two app")),
    E("0.15.3/info__wf-unpublished", "app.info", Info("wf-unpublished", "never published")),
    E("0.15.3/info__wf-ver", "app.info", Info("wf-ver", "wf-ver app")),

    # 0.15.3/messages
    E("0.15.3/messages__completion-app", None, NOT_CHAT, "always names the conversation"),

    # 0.15.3/meta
    E("0.15.3/meta__comp-mod", "app.meta", Meta()),
    E("0.15.3/meta__comp-tts", "app.meta", Meta()),
    E("0.15.3/meta__wf-fail", "app.meta", Meta()),
    E("0.15.3/meta__wf-file", "app.meta", Meta()),
    E("0.15.3/meta__wf-form", "app.meta", Meta()),
    E("0.15.3/meta__wf-iterfail", "app.meta", Meta()),
    E("0.15.3/meta__wf-llm", "app.meta", Meta()),
    E("0.15.3/meta__wf-par", "app.meta", Meta()),
    E("0.15.3/meta__wf-rich", "app.meta", Meta({"current_time": icon("time")})),
    E("0.15.3/meta__wf-slow", "app.meta", Meta()),
    E("0.15.3/meta__wf-two", "app.meta", Meta()),
    E("0.15.3/meta__wf-unpublished", "app.meta", Meta()),

    # 0.15.3/parameters
    E("0.15.3/parameters__comp-mod", "app.parameters",
      Parameters(opening=None, form="query:paragraph!", on="tts citations", voice='alloy')),
    E("0.15.3/parameters__comp-tts", "app.parameters",
      Parameters(opening=None, form="query:paragraph!", on="tts citations", voice='alloy')),
    E("0.15.3/parameters__wf-fail", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("0.15.3/parameters__wf-file", "app.parameters",
      Parameters(form="doc:file!/5 docs:file-list/5", on="citations files")),
    E("0.15.3/parameters__wf-iterfail", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("0.15.3/parameters__wf-mod", "app.parameters", Parameters(form="q:paragraph!/5000 docs:file-list/5")),
    E("0.15.3/parameters__wf-rich", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("0.15.3/parameters__wf-slow", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("0.15.3/parameters__wf-tts", "app.parameters",
      Parameters(form="q:paragraph!/5000 docs:file-list/5", on="tts citations", voice='alloy')),
    E("0.15.3/parameters__wf-unpublished", "app.parameters", UNAVAILABLE),

    # 0.15.3/site
    E("0.15.3/site__comp-mod", "app.site", NO_ROUTE),
    E("0.15.3/site__comp-noform", "app.site", NO_ROUTE),
    E("0.15.3/site__comp-tts", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-disabled", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-fail", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-file", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-form", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-iterfail", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-llm", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-par", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-two", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-unpublished", "app.site", NO_ROUTE),
    E("0.15.3/site__wf-ver", "app.site", NO_ROUTE),

    # 0.15.3/suggested
    E("0.15.3/suggested__completion-own-message", "messages.suggested", NOT_CHAT),

    # 0.15.3/text-to-audio
    E("0.15.3/text-to-audio__comp-tts-text", "audio.from_text", Content(4407, b'ID3\x04', "audio/mpeg")),
    E("0.15.3/text-to-audio__wf-tts-text", "audio.from_text", Content(4407, b'ID3\x04', "audio/mpeg")),

    # 0.15.3/workflow-events
    E("0.15.3/workflow-events__human-input-form", "forms.get", NO_ROUTE),

    # 1.12.1/app-feedbacks
    E("1.12.1/app-feedbacks__wf-llm", "app.feedbacks", Feedbacks(0, "", "", "", "")),

    # 1.12.1/chat-messages
    E("1.12.1/chat-messages__workflow-id-bogus", "chat.send",
      Refused(404, "not_found", "Workflow not found with id: 00000000-0000-4000-800", "NotFoundError")),
    E("1.12.1/chat-messages__workflow-id-of-other-app", "chat.send",
      Refused(404, "not_found", "Workflow not found with id: 35b68397-4f92-411b-99b", "NotFoundError")),
    E("1.12.1/chat-messages__wrong-mode-wf-llm", "chat.send", NOT_CHAT),

    # 1.12.1/completion-feedback
    E("1.12.1/completion-feedback__bogus", "messages.feedback", NO_MESSAGE),
    E("1.12.1/completion-feedback__failed-message", "messages.feedback", Done()),
    E("1.12.1/completion-feedback__like", "messages.feedback", Done()),
    E("1.12.1/completion-feedback__no-rating", None, NOTHING_TO_REVOKE, "always tells the rating, null to revoke it"),
    E("1.12.1/completion-feedback__null-again", "messages.feedback", NOTHING_TO_REVOKE),
    E("1.12.1/completion-feedback__other-user", "messages.feedback", NO_MESSAGE),

    # 1.12.1/completion-messages
    E("1.12.1/completion-messages__completion-http401-blocking", "completion.send",
      Refused(400, "completion_request_error", "Incorrect API key provided")),
    E("1.12.1/completion-messages__completion-ratelimit-blocking", "completion.send",
      Refused(400, "completion_request_error", "[stub] error 429")),
    E("1.12.1/completion-messages__err-bad-response-mode", None,
      invalid("1 validation error for CompletionRequestPayload"), "streaming or blocking"),
    E("1.12.1/completion-messages__err-empty-user", None, NO_USER, "a user has 1 to 255 characters"),
    E("1.12.1/completion-messages__err-files-when-off", "completion.send", invalid("Invalid upload file")),
    E("1.12.1/completion-messages__err-form-city-missing", "completion.send",
      invalid("city is required in input form")),
    E("1.12.1/completion-messages__err-form-tone-bad", "completion.send",
      invalid("tone in input form must be one of the following: ['formal', ")),
    E("1.12.1/completion-messages__err-get-405", None,
      Refused(405, "method_not_allowed", "The method is not allowed for the requested URL."), "no such request"),
    E("1.12.1/completion-messages__err-inputs-list", None,
      invalid("1 validation error for CompletionRequestPayload"), "inputs are a dict"),
    E("1.12.1/completion-messages__err-missing-inputs", None,
      invalid("1 validation error for CompletionRequestPayload"), "always has inputs"),
    E("1.12.1/completion-messages__err-missing-required-blocking", "completion.send",
      invalid("query is required in input form")),
    E("1.12.1/completion-messages__err-missing-required-streaming", "completion.send",
      invalid("query is required in input form")),
    E("1.12.1/completion-messages__err-missing-user", None, NO_USER, "always names its user"),
    E("1.12.1/completion-messages__err-no-content-type", None, NOT_JSON, "always has a body"),
    E("1.12.1/completion-messages__err-query-list", "completion.send",
      invalid("(type 'paragraph') query in input form must be a string")),
    E("1.12.1/completion-messages__err-query-null", "completion.send", invalid("query is required in input form")),
    E("1.12.1/completion-messages__file-bogus", "completion.send", invalid("Invalid upload file")),
    E("1.12.1/completion-messages__wrong-mode-wf-llm", "completion.send", UNAVAILABLE),
    E("1.12.1/completion-messages__wrong-mode-workflow", "completion.send", UNAVAILABLE),

    # 1.12.1/completion-stop
    E("1.12.1/completion-stop__bogus", "completion.stop", Done()),
    E("1.12.1/completion-stop__chat-stop-on-completion-app", "chat.stop", NOT_CHAT),
    E("1.12.1/completion-stop__finished", "completion.stop", Done()),
    E("1.12.1/completion-stop__get-405", None,
      Refused(405, "method_not_allowed", "The method is not allowed for the requested URL."), "no such request"),
    E("1.12.1/completion-stop__no-body", None, NOT_JSON, "always has a body"),
    E("1.12.1/completion-stop__not-uuid", "completion.stop", Done()),
    E("1.12.1/completion-stop__right-user", "completion.stop", Done()),
    E("1.12.1/completion-stop__workflow-stop-on-completion-app", "workflows.stop", NOT_WORKFLOW),
    E("1.12.1/completion-stop__wrong-mode-plain-chat", "completion.stop", UNAVAILABLE),
    E("1.12.1/completion-stop__wrong-user", "completion.stop", Done()),

    # 1.12.1/conversations
    E("1.12.1/conversations__completion-app", "conversations.list", NOT_CHAT),

    # 1.12.1/feedbacks
    E("1.12.1/feedbacks__wf-bogus", "messages.feedback", NO_MESSAGE),

    # 1.12.1/files-preview
    E("1.12.1/files-preview__wf-file", "files.download",
      Refused(404, "file_not_found", "File not found in message context", "NotFoundError")),
    E("1.12.1/files-preview__wf-form-png", "files.download",
      Refused(404, "file_not_found", "File not found in message context", "NotFoundError")),

    # 1.12.1/info
    E("1.12.1/info__comp-form", "app.info", Info("comp-form", "comp-form", "completion", "Admin")),
    E("1.12.1/info__comp-mod", "app.info", Info("comp-mod", "comp-mod", "completion", "Admin")),
    E("1.12.1/info__comp-tts", "app.info", Info("comp-tts", "comp-tts", "completion", "Admin")),
    E("1.12.1/info__wf-disabled", "app.info", DISABLED),
    E("1.12.1/info__wf-fail", "app.info", Info("wf-fail", "wf-fail app", "workflow", "Admin")),
    E("1.12.1/info__wf-file", "app.info", Info("wf-file", "wf-file app", "workflow", "Admin")),
    E("1.12.1/info__wf-form", "app.info", Info("wf-form", "wf-form app", "workflow", "Admin")),
    E("1.12.1/info__wf-llm", "app.info", Info("wf-llm", "wf-llm app", "workflow", "Admin")),
    E("1.12.1/info__wf-mod", "app.info", Info("wf-mod", "wf-mod app", "workflow", "Admin")),
    E("1.12.1/info__wf-par", "app.info", Info("wf-par", "wf-par app", "workflow", "Admin")),
    E("1.12.1/info__wf-slow", "app.info", Info("wf-slow", "wf-slow app", "workflow", "Admin")),
    E("1.12.1/info__wf-two", "app.info", Info("wf-two", "wf-two app", "workflow", "Admin")),
    E("1.12.1/info__wf-unpublished", "app.info", Info("wf-unpublished", "never published", "workflow", "Admin")),
    E("1.12.1/info__wf-ver", "app.info", Info("wf-ver", "wf-ver app", "workflow", "Admin")),

    # 1.12.1/messages
    E("1.12.1/messages__completion-app", None, NOT_CHAT, "always names the conversation"),

    # 1.12.1/meta
    E("1.12.1/meta__comp-mod", "app.meta", Meta()),
    E("1.12.1/meta__comp-tts", "app.meta", Meta()),
    E("1.12.1/meta__wf-fail", "app.meta", Meta()),
    E("1.12.1/meta__wf-file", "app.meta", Meta()),
    E("1.12.1/meta__wf-form", "app.meta", Meta()),
    E("1.12.1/meta__wf-iterfail", "app.meta", Meta()),
    E("1.12.1/meta__wf-llm", "app.meta", Meta()),
    E("1.12.1/meta__wf-par", "app.meta", Meta()),
    E("1.12.1/meta__wf-rich", "app.meta", Meta({"current_time": icon("time")})),
    E("1.12.1/meta__wf-slow", "app.meta", Meta()),
    E("1.12.1/meta__wf-two", "app.meta", Meta()),
    E("1.12.1/meta__wf-unpublished", "app.meta", Meta()),

    # 1.12.1/parameters
    E("1.12.1/parameters__comp-mod", "app.parameters",
      Parameters(opening=None, form="query:paragraph!", on="tts citations", voice='alloy')),
    E("1.12.1/parameters__comp-tts", "app.parameters",
      Parameters(opening=None, form="query:paragraph!", on="tts citations", voice='alloy')),
    E("1.12.1/parameters__wf-fail", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("1.12.1/parameters__wf-file", "app.parameters",
      Parameters(form="doc:file!/5 docs:file-list/5", on="citations files")),
    E("1.12.1/parameters__wf-iterfail", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("1.12.1/parameters__wf-mod", "app.parameters", Parameters(form="q:paragraph!/5000 docs:file-list/5")),
    E("1.12.1/parameters__wf-rich", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("1.12.1/parameters__wf-slow", "app.parameters", Parameters(form="q:paragraph!/5000")),
    E("1.12.1/parameters__wf-tts", "app.parameters",
      Parameters(form="q:paragraph!/5000 docs:file-list/5", on="tts citations", voice='alloy')),
    E("1.12.1/parameters__wf-unpublished", "app.parameters", UNAVAILABLE),

    # 1.12.1/site
    E("1.12.1/site__comp-mod", "app.site", Site("comp-mod")),
    E("1.12.1/site__comp-noform", "app.site", Site("comp-noform")),
    E("1.12.1/site__comp-tts", "app.site", Site("comp-tts")),
    E("1.12.1/site__wf-agent", "app.site", Site("wf-agent")),
    E("1.12.1/site__wf-disabled", "app.site", DISABLED),
    E("1.12.1/site__wf-fail", "app.site", Site("wf-fail")),
    E("1.12.1/site__wf-file", "app.site", Site("wf-file")),
    E("1.12.1/site__wf-form", "app.site", Site("wf-form")),
    E("1.12.1/site__wf-iterfail", "app.site", Site("wf-iterfail")),
    E("1.12.1/site__wf-llm", "app.site", Site("wf-llm")),
    E("1.12.1/site__wf-par", "app.site", Site("wf-par")),
    E("1.12.1/site__wf-two", "app.site", Site("wf-two")),
    E("1.12.1/site__wf-unpublished", "app.site", Site("wf-unpublished")),
    E("1.12.1/site__wf-ver", "app.site", Site("wf-ver")),

    # 1.12.1/suggested
    E("1.12.1/suggested__completion-own-message", "messages.suggested", NOT_CHAT),

    # 1.12.1/text-to-audio
    E("1.12.1/text-to-audio__comp-tts-text", "audio.from_text", Content(4407, b'ID3\x04', "audio/mpeg")),
    E("1.12.1/text-to-audio__wf-tts-text", "audio.from_text", Content(4407, b'ID3\x04', "audio/mpeg")),

    # 1.12.1/workflow-events
    E("1.12.1/workflow-events__human-input-form", "forms.get", NO_ROUTE),

    # 1.16.1/completion-messages
    E("1.16.1/completion-messages__completion-missing", "completion.send",
      invalid("query is required in input form")),
    E("1.16.1/completion-messages__plain-chat-wrong-app", "completion.send", UNAVAILABLE),
]
