"""What a person expects of the recorded exchanges with Dify 1.16.1.

How the table was made stands in `expected_exchanges.py`. What differs from Dify 1.12.1 is said above its line.
"""


from __future__ import annotations

from contract.expected_apps import NOT_WORKFLOW, icon
from contract.expected_changes import NO_ANNOTATION, mismatch
from contract.expected_files import NO_AUDIO, NO_FILE, NO_TEXT, NOT_IN_A_MESSAGE, PNG
from contract.expected_outcomes import (
    BAD_KEY,
    CRASHED,
    NO_CONVERSATION,
    NO_ROUTE,
    NO_TEXT_TO_SPEECH,
    NO_USER,
    NOT_CHAT,
    NOTHING_TO_REVOKE,
    UNAVAILABLE,
    Annotation,
    Annotations,
    Content,
    Conversation,
    Conversations,
    Done,
    Feedbacks,
    Form,
    Info,
    Job,
    Messages,
    Meta,
    Parameters,
    Refused,
    Site,
    Suggested,
    Upload,
    Variable,
    Variables,
    invalid,
)
from contract.expected_outcomes import Expected as E

TITLED = "A generated title"
"""What this server's stand-in for a model calls a conversation."""
BOT = "Hi, I am a bot."
WHAT_NEXT = Suggested(("What else?", "Why so?", "How much?"))
NO_END_USER = Refused(404, "end_user_not_found", "End user not found.", "NotFoundError")
NO_LAST = Refused(404, "not_found", "Last Conversation Not Exists.", "NotFoundError")
NO_RUN = Refused(404, "not_found", "Workflow run not found", "NotFoundError")
SUBMITTED = Refused(412, "human_input_form_submitted", "This form has already been submitted by another user")

OF_1_16 = [
    # 1.16.1/info
    E("1.16.1/info__agent-chat-ok", "app.info", Info("agent-chat", "agent-chat for tests", "agent-chat", "golden")),
    E("1.16.1/info__basic-chat-ok", "app.info", Info("basic-chat", "basic-chat for tests", "chat", "golden")),
    E("1.16.1/info__chatflow-ok", "app.info", Info("chatflow", "chatflow for tests", "advanced-chat", "golden")),
    E("1.16.1/info__completion-ok", "app.info", Info("completion", "completion for tests", "completion", "golden")),
    E("1.16.1/info__fileflow-ok", "app.info", Info("fileflow", "fileflow for tests", "advanced-chat", "golden")),
    E("1.16.1/info__required-chat-ok", "app.info",
      Info("required-chat", "required-chat for tests", "chat", "golden")),
    # A mode that 1.12.1 does not know, of the apps that the console calls New Agent.
    E("1.16.1/info__roster-agent-ok", "app.info", Info("roster-agent", "a new agent", "agent", "golden")),
    E("1.16.1/info__unpublished-ok", "app.info",
      Info("unpublished", "unpublished for tests", "advanced-chat", "golden")),

    # 1.16.1/meta
    E("1.16.1/meta__agent-chat-ok", "app.meta", Meta({"current_time": icon("time")})),
    E("1.16.1/meta__basic-chat-ok", "app.meta", Meta()),
    E("1.16.1/meta__chatflow-ok", "app.meta", Meta()),
    E("1.16.1/meta__completion-ok", "app.meta", Meta()),
    E("1.16.1/meta__fileflow-ok", "app.meta", Meta()),
    E("1.16.1/meta__humanflow-ok", "app.meta", Meta()),
    # Its tools are told in thoughts alone, without an icon.
    E("1.16.1/meta__roster-agent-ok", "app.meta", Meta()),
    E("1.16.1/meta__unpublished-ok", "app.meta", Meta()),
    E("1.16.1/meta__workflow-ok", "app.meta", Meta()),

    # 1.16.1/site
    E("1.16.1/site__agent-chat-ok", "app.site", Site("agent-chat")),
    E("1.16.1/site__basic-chat-ok", "app.site", Site("basic-chat")),
    E("1.16.1/site__completion-ok", "app.site", Site("completion")),
    E("1.16.1/site__roster-agent-ok", "app.site", Site("roster-agent")),

    # 1.16.1/parameters
    E("1.16.1/parameters__agent-chat-ok", "app.parameters",
      Parameters(on="citations files images", files="3 image document audio video")),
    E("1.16.1/parameters__basic-chat-ok", "app.parameters",
      Parameters(BOT, suggested=("One?", "Two?"), form="city:text-input/12",
        on="suggest speech tts citations files images", files="3 image document audio video", voice="alice")),
    E("1.16.1/parameters__chatflow-ok", "app.parameters",
      Parameters("Hello {{city}}", suggested=("What now?",), form="city:text-input/48 style:select/48",
        on="suggest speech tts citations files", files="3 image document audio video", voice="alice")),
    # Two kinds of controls that 1.12.1's apps did not have: checkbox and json_object.
    E("1.16.1/parameters__fileflow-ok", "app.parameters",
      Parameters(form="doc:file/48 n:number/48 flag:checkbox/48 js:json_object/48 must:text-input!/48",
        on="citations files", files="3 image document audio video")),
    E("1.16.1/parameters__humanflow-ok", "app.parameters",
      Parameters(on="citations files", files="3 image document audio video")),
    E("1.16.1/parameters__required-chat-ok", "app.parameters",
      Parameters(form="city:text-input!/12 style:select n:number flag:checkbox p:paragraph",
        on="citations files images", files="3 image document audio video")),
    E("1.16.1/parameters__unpublished-ok", "app.parameters", UNAVAILABLE),
    E("1.16.1/parameters__workflow-ok", "app.parameters",
      Parameters(form="text:paragraph!/48 n:number/48", on="citations files", files="3 image document audio video")),

    # 1.16.1/new-agent
    # An app that nobody published yet tells what it is called, and nothing of what it takes.
    E("1.16.1/new-agent__newagent-conversations", "conversations.list", Conversations(0)),
    E("1.16.1/new-agent__newagent-info", "app.info", Info("newagent", "newagent for tests", "agent", "golden")),
    E("1.16.1/new-agent__newagent-meta", "app.meta", Meta()),
    E("1.16.1/new-agent__newagent-parameters", "app.parameters", UNAVAILABLE),
    E("1.16.1/new-agent__newagent-site", "app.site", Site("newagent")),

    # 1.16.1/auth-chat
    E("1.16.1/auth-chat__bad-key", "app.info", BAD_KEY),
    E("1.16.1/auth-chat__dataset-key-like", "app.info", BAD_KEY),

    # 1.16.1/errors
    E("1.16.1/errors__v1-info", None, NO_ROUTE, "a trailing slash"),

    # 1.16.1/wrong-app
    E("1.16.1/wrong-app__completion-conversations", "conversations.list", NOT_CHAT),
    E("1.16.1/wrong-app__completion-messages", "messages.list", NOT_CHAT),
    E("1.16.1/wrong-app__workflow-conversations", "conversations.list", NOT_CHAT),
    E("1.16.1/wrong-app__workflow-messages", "messages.list", NOT_CHAT),

    # 1.16.1/conversations
    E("1.16.1/conversations__basic-chat-limit-2", "conversations.list",
      Conversations(2, "0c99 7989", created="2026-11-29T17:41:55Z", updated="2026-11-29T17:41:56Z",
        names={0: TITLED, 1: TITLED}, introduction=BOT)),
    # Named by its question: the generated title comes about a second after the answer.
    E("1.16.1/conversations__basic-chat-name-1", "conversations.list",
      Conversations(1, "191e 191e", more=True, created="2026-11-29T18:08:22Z", updated="2026-11-29T18:08:22Z",
        names={0: "[[words:3]] fresh"}, introduction=BOT)),
    E("1.16.1/conversations__basic-chat-name-2", "conversations.list",
      Conversations(1, "191e 191e", more=True, created="2026-11-29T18:08:22Z", updated="2026-11-29T18:08:22Z",
        names={0: "[[words:3]] fresh"}, introduction=BOT)),
    E("1.16.1/conversations__basic-chat-no-user", None, Conversations(0), "always names its user"),
    E("1.16.1/conversations__basic-chat-unknown-last", "conversations.list", NO_LAST),
    E("1.16.1/conversations__chatflow-bad-sort", None,
      invalid("1 validation error for ConversationListQuery\nsort_by\n  Input should be 'created_at'"),
        "no such order", refuses=True),
    # The second one failed before it got a title.
    E("1.16.1/conversations__chatflow-limit-2", "conversations.list",
      Conversations(2, "7695 4de9", more=True, created="2026-11-29T17:42:19Z", updated="2026-11-29T17:42:20Z",
        names={0: TITLED, 1: "[[words:9]] [[fail:server]] [[after:4]]"}, introduction="Hello ")),
    E("1.16.1/conversations__chatflow-no-user", None, Conversations(0), "always names its user"),
    E("1.16.1/conversations__chatflow-unknown-last", "conversations.list", NO_LAST),

    # 1.16.1/messages
    # What had been said was lost with the stop: 1.12.1 keeps it as the answer.
    E("1.16.1/messages__agent-chat-after-stop", "messages.list",
      Messages(1, "1a8e 1a8e", created="2026-11-29T17:50:07Z", query="[[words:40]] [[delay:250]]", lengths=(0,),
        tools=("",), thoughts=(0,))),
    E("1.16.1/messages__agentflow-default", "messages.list",
      Messages(1, "a368 a368", created="2026-11-29T17:41:48Z", query="time?", lengths=(35,))),
    E("1.16.1/messages__basic-chat-default", "messages.list",
      Messages(1, "337a 337a", created="2026-11-29T17:41:31Z", query="[[md]]", lengths=(103,))),
    E("1.16.1/messages__basic-chat-malformed", "messages.list",
      invalid("1 validation error for MessageListQuery\nconversation_id\n  Value error, must be a valid UUID")),
    E("1.16.1/messages__basic-chat-no-conversation", None,
      invalid("1 validation error for MessageListQuery\nconversation_id\n  Field required"),
        "always names the conversation"),
    E("1.16.1/messages__basic-chat-unknown", "messages.list", NO_CONVERSATION),
    E("1.16.1/messages__basic-chat-with-file", "messages.list",
      Messages(1, "a03c a03c", created="2026-11-29T17:49:56Z", query="[[words:4]] see", lengths=(23,),
        files=("image local_file 70",))),
    # A node failed, and the branch for that case answered: no failure.
    E("1.16.1/messages__branchflow-default", "messages.list",
      Messages(1, "4322 4322", created="2026-11-29T17:41:46Z", query="go", lengths=(154,))),
    E("1.16.1/messages__failflow-default", "messages.list",
      Messages(1, "a2a7 a2a7", created="2026-11-29T17:41:44Z", query="go", lengths=(0,),
        failed={0: "Run failed: Traceback (most recent call last):"})),
    # The file stands among the inputs, in the message, and twice more as a file of the answer, which shows it.
    E("1.16.1/messages__fileflow-with-file", "messages.list",
      Messages(1, "508d 508d", created="2026-11-29T17:49:57Z", query="see", lengths=(444,),
        files=("document local_file 5",))),
    # Neither normal nor failed: it waits for a person, and the text is what was said until then.
    E("1.16.1/messages__humanflow-paused", "messages.list",
      Messages(1, "b25e b25e", created="2026-11-29T17:42:57Z", query="may I", lengths=(31,), paused=(0,))),
    E("1.16.1/messages__humanflow-rejected", "messages.list",
      Messages(1, "2103 2103", created="2026-11-29T18:04:37Z", query="reject me", lengths=(40,))),
    E("1.16.1/messages__multianswer-default", "messages.list",
      Messages(1, "9274 9274", created="2026-11-29T17:41:43Z", query="go", lengths=(79,))),
    # Never stored: whoever leaves a chat app's stream loses the answer, as on 1.12.1.
    E("1.16.1/messages__plain-chat-after-leaving", "messages.list",
      Messages(1, "bec0 bec0", created="2026-11-29T17:50:31Z", query="[[words:20]] [[delay:100]]", lengths=(0,))),
    E("1.16.1/messages__plain-chat-after-stop", "messages.list",
      Messages(1, "087e 087e", created="2026-11-29T17:50:05Z", query="[[words:40]] [[delay:250]]", lengths=(35,))),
    E("1.16.1/messages__plain-chat-first-id-unknown", "messages.list",
      Refused(404, "not_found", "First Message Not Exists.", "NotFoundError")),
    # Tried again until the node's default value was taken.
    E("1.16.1/messages__retryflow-default", "messages.list",
      Messages(1, "0d90 0d90", created="2026-11-29T17:41:44Z", query="go", lengths=(16,))),
    E("1.16.1/messages__richflow-default", "messages.list",
      Messages(1, "bf15 bf15", created="2026-11-29T17:41:33Z", query="please [[words:5]]", lengths=(191,))),
    # The agent's own question to a person is an answer like any other: normal, not paused.
    E("1.16.1/messages__roster-agent-ask-human", "messages.list",
      Messages(1, "a850 a850", created="2026-11-29T18:03:12Z", query="[[tool]] [[ask]] x", lengths=(6,),
        tools=("", "", "current_time"), thoughts=(14, 0, 0))),
    # What the agent said on the way stands in `answer` of its thoughts; the first is its reasoning.
    E("1.16.1/messages__roster-agent-tool", "messages.list",
      Messages(1, "e89c e89c", created="2026-11-29T18:03:09Z", query="[[tool]] time?", lengths=(22,),
        tools=("", "", "current_time", ""), thoughts=(14, 0, 0, 0))),
    E("1.16.1/messages__slowflow-after-stop", "messages.list",
      Messages(1, "30be 30be", created="2026-11-29T17:50:06Z", query="[[words:40]] [[delay:250]]", lengths=(18,))),
    E("1.16.1/messages__thinkflow-default", "messages.list",
      Messages(1, "9209 9209", created="2026-11-29T17:41:46Z", query="hi", lengths=(28,))),
    E("1.16.1/messages__tts-chat-default", "messages.list",
      Messages(1, "bc40 bc40", created="2026-11-29T17:41:51Z", query="[[words:6]]", lengths=(35,))),

    # 1.16.1/delete
    # Not found, where 1.12.1 says yes to any id: the second time, and for a conversation of another app.
    E("1.16.1/delete__plain-chat-again", "conversations.delete", NO_CONVERSATION),
    E("1.16.1/delete__plain-chat-ok", "conversations.delete", Done(204)),
    E("1.16.1/delete__plain-chat-other", "conversations.delete", NO_CONVERSATION),

    # 1.16.1/rename
    E("1.16.1/rename__basic-chat-blank", None,
      invalid("1 validation error for ConversationRenamePayload\n  Value error, name is required when auto_generate"),
        "a name or auto_generate", refuses=True),
    E("1.16.1/rename__basic-chat-name", "conversations.rename",
      Conversation("7989", "新 name", "2026-11-29T17:41:31Z", "2026-11-29T17:49:54Z", inputs={"city": "Paris"},
        introduction=BOT)),
    E("1.16.1/rename__basic-chat-unknown", "conversations.rename", NO_CONVERSATION),

    # 1.16.1/stop
    # Said to anyone. Of a chatflow a stranger's stop is heard now, of a chat app it is as little as before.
    E("1.16.1/stop__agent-chat-running", "chat.stop", Done()),
    E("1.16.1/stop__plain-chat-no-user", None, NO_USER, "always names its user"),
    E("1.16.1/stop__plain-chat-other-user", "chat.stop", Done()),
    E("1.16.1/stop__plain-chat-running", "chat.stop", Done()),
    E("1.16.1/stop__roster-agent-running", "chat.stop", Done()),
    E("1.16.1/stop__slowflow-other-user", "chat.stop", Done()),
    E("1.16.1/stop__slowflow-running", "chat.stop", Done()),
    E("1.16.1/stop__slowworkflow-running", "workflows.stop", Done()),

    # 1.16.1/suggested
    E("1.16.1/suggested__basic-chat-malformed", "messages.suggested", NO_ROUTE),
    E("1.16.1/suggested__basic-chat-ok", "messages.suggested", WHAT_NEXT),
    E("1.16.1/suggested__chatflow-ok", "messages.suggested", WHAT_NEXT),

    # 1.16.1/feedbacks
    E("1.16.1/feedbacks__basic-chat-like", "messages.feedback", Done()),
    # It had been rated: a comment without a rating is told as if it had not been.
    E("1.16.1/feedbacks__basic-chat-no-rating", None,
      NOTHING_TO_REVOKE, "always tells the rating, null to revoke it"),
    E("1.16.1/feedbacks__basic-chat-null", "messages.feedback", Done()),
    E("1.16.1/feedbacks__basic-chat-null-again", "messages.feedback", NOTHING_TO_REVOKE),
    E("1.16.1/feedbacks__chatflow-like", "messages.feedback", Done()),

    # 1.16.1/app-feedbacks
    E("1.16.1/app-feedbacks__chatflow-default", "app.feedbacks",
      Feedbacks(1, "f8fa f8fa", "like", "fine", "2026-11-29T17:49:53Z")),
    E("1.16.1/app-feedbacks__chatflow-limit-102", None,
      invalid("1 validation error for FeedbackListQuery\nlimit\n  Input should be less than or equal to 101"),
        "limits go from 1 to 101", refuses=True),

    # 1.16.1/conversation-variables
    # In any order, as all were made in one second; told as on 1.12.1, lists and objects in Python's notation.
    E("1.16.1/conversation-variables__basic-chat-list", "conversations.variables", Variables({})),
    E("1.16.1/conversation-variables__chatflow-after", "conversations.variables",
      Variables({"count": ("number", 7), "topic": ("string", "new 值"), "items": ("array[string]", ["b", "c"]),
        "obj": ("object", {"a": {"b": 1}})}, created="2026-11-29T17:41:32Z", updated="2026-11-29T17:49:53Z")),
    # The filter breaks this server, too. Who lists all and picks never meets this.
    E("1.16.1/conversation-variables__chatflow-by-name", "conversations.variables", CRASHED),
    E("1.16.1/conversation-variables__chatflow-list", "conversations.variables",
      Variables({"count": ("number", 3), "items": ("array[string]", ["a"]), "obj": ("object", {"k": 1}),
        "topic": ("string", "[[words:8]] hi")}, created="2026-11-29T17:41:32Z", updated="2026-11-29T17:41:32Z")),
    E("1.16.1/conversation-variables__chatflow-put-array", "conversations.set_variable",
      Variable("6d58", "items", "array[string]", ["b", "c"], "2026-11-29T17:49:53Z")),
    E("1.16.1/conversation-variables__chatflow-put-array-wrong", "conversations.set_variable",
      mismatch("items", "array[string]", "array[number]")),
    E("1.16.1/conversation-variables__chatflow-put-no-value", None,
      invalid("1 validation error for ConversationVariableUpdatePayload\nvalue\n  Field required"),
        "always tells the value"),
    E("1.16.1/conversation-variables__chatflow-put-number", "conversations.set_variable",
      Variable("a736", "count", "number", 7, "2026-11-29T17:49:53Z")),
    E("1.16.1/conversation-variables__chatflow-put-number-text", "conversations.set_variable",
      mismatch("count", "number", "string")),
    E("1.16.1/conversation-variables__chatflow-put-object", "conversations.set_variable",
      Variable("3c58", "obj", "object", {"a": {"b": 1}}, "2026-11-29T17:49:53Z")),
    E("1.16.1/conversation-variables__chatflow-put-string", "conversations.set_variable",
      Variable("8024", "topic", "string", "new 值", "2026-11-29T17:49:53Z")),
    E("1.16.1/conversation-variables__chatflow-put-string-number", "conversations.set_variable",
      mismatch("topic", "string", "integer")),
    # New Agent apps chat, but this route says that they do not.
    E("1.16.1/conversation-variables__roster-agent-list", "conversations.variables", NOT_CHAT),

    # 1.16.1/annotations
    E("1.16.1/annotations__basic-chat-delete", "annotations.delete", Done(204)),
    E("1.16.1/annotations__basic-chat-delete-again", "annotations.delete", NO_ANNOTATION),
    E("1.16.1/annotations__basic-chat-keyword", "annotations.list",
      Annotations(1, "b99a b99a", total=1, questions=("q?",), created="2026-11-29T17:50:02Z")),
    E("1.16.1/annotations__basic-chat-update", "annotations.update",
      Annotation("b99a", "q2?", "a2!", 0, "2026-11-29T17:50:02Z")),
    # Missing is the annotation here, not a part of the request.
    E("1.16.1/annotations__basic-chat-update-missing", "annotations.update", NO_ANNOTATION),

    # 1.16.1/annotation-reply
    E("1.16.1/annotation-reply__plain-chat-enable-status", "annotations.reply_status", Job("5e24", "completed")),
    E("1.16.1/annotation-reply__plain-chat-frobnicate", None, CRASHED, "neither enable nor disable"),
    E("1.16.1/annotation-reply__plain-chat-status-unknown", "annotations.reply_status",
      invalid("The job does not exist.")),

    # 1.16.1/end-users
    # A route that 1.12.1 does not have: what is no UUID is a page still, an id that nobody has is told in JSON.
    E("1.16.1/end-users__chatflow-malformed", "end_users.get", NO_ROUTE),
    E("1.16.1/end-users__chatflow-unknown", "end_users.get", NO_END_USER),
    E("1.16.1/end-users__plain-chat-other-app", "end_users.get", NO_END_USER),

    # 1.16.1/files-upload
    # The type is what the request says, also of a name without an extension.
    E("1.16.1/files-upload__basic-chat-exe", "files.upload",
      Upload("8c67", "a.exe", 2, "exe", "application/octet-stream", "b529", "2026-11-29T17:49:54Z", source_url=True)),
    E("1.16.1/files-upload__basic-chat-no-extension", "files.upload",
      Upload("1dbb", "noext", 1, "", "application/octet-stream", "b529", "2026-11-29T17:49:54Z", source_url=True)),
    E("1.16.1/files-upload__basic-chat-no-file", None, NO_FILE, "always has the file"),
    # A user of the server's own.
    E("1.16.1/files-upload__basic-chat-no-user", None,
      Upload("3c6c", "a.png", 70, "png", "image/png", "6c43", "2026-11-29T17:49:55Z", source_url=True),
        "always names its user"),
    E("1.16.1/files-upload__basic-chat-png", "files.upload",
      Upload("076e", "图 a.png", 70, "png", "image/png", "b529", "2026-11-29T17:49:54Z", source_url=True)),
    E("1.16.1/files-upload__fileflow-txt", "files.upload",
      Upload("f3ab", "a.txt", 5, "txt", "text/plain", "baa7", "2026-11-29T17:49:54Z", source_url=True)),

    # 1.16.1/files-preview
    E("1.16.1/files-preview__basic-chat-before-use", "files.download", NOT_IN_A_MESSAGE),
    E("1.16.1/files-preview__basic-chat-unknown", "files.download", NOT_IN_A_MESSAGE),
    E("1.16.1/files-preview__basic-chat-used", "files.download", Content(70, PNG, "image/png")),

    # 1.16.1/audio-to-text
    E("1.16.1/audio-to-text__basic-chat-webm", "audio.to_text", NO_AUDIO),
    # A code of its own, where earlier versions say invalid_param and other words.
    E("1.16.1/audio-to-text__plain-chat-off", "audio.to_text",
      Refused(400, "speech_to_text_disabled", "Speech to text is disabled.")),

    # 1.16.1/text-to-audio
    E("1.16.1/text-to-audio__basic-chat-nothing", None, NO_TEXT, "a text or a message", refuses=True),
    E("1.16.1/text-to-audio__plain-chat-off", "audio.from_text", NO_TEXT_TO_SPEECH),

    # 1.16.1/human-input
    E("1.16.1/human-input__brancha-submit-1", "forms.submit", Done()),
    # Neither the id of the form nor its run, node or title: whoever asks by the token has these from the run.
    E("1.16.1/human-input__humanflow-get", "forms.get",
      Form("# Please check\n\nQuestion: may I\n\nNote: {{#$output.note#}}\n\nKind: {{#$output.kind#}}",
        "note:paragraph=my note kind:select/x,y", "approve/primary reject/default", "2026-11-29T18:42:57Z")),
    E("1.16.1/human-input__humanflow-submit", "forms.submit", Done()),
    E("1.16.1/human-input__humanflow-submit-3", "forms.submit", Done()),
    # "Another user" was the same one.
    E("1.16.1/human-input__humanflow-submit-again", "forms.submit", SUBMITTED),
    E("1.16.1/human-input__humanflow-submit-bad-select", "forms.submit",
      Refused(400, "invalid_form_data", "Invalid value for select input 'kind': zz")),
    E("1.16.1/human-input__humanflow-submit-no-user", None, NO_USER, "always names its user"),
    E("1.16.1/human-input__humanflow-submit-other-user", "forms.submit", Done()),
    E("1.16.1/human-input__humanworkflow-submit", "forms.submit", Done()),
    # Of another app's form, and with the token in the message: what is told of the error has none.
    E("1.16.1/human-input__plain-chat-get-other-app", "forms.get",
      Refused(404, "not_found", "Form not found.", "NotFoundError")),

    # 1.16.1/workflow-events
    # What is no UUID breaks the server.
    E("1.16.1/workflow-events__humanflow-malformed-run", "chat.resume", CRASHED),
    E("1.16.1/workflow-events__humanflow-no-user", None, NO_USER, "always names its user"),
    E("1.16.1/workflow-events__humanflow-other-user", "chat.resume", NO_RUN),
    E("1.16.1/workflow-events__humanflow-unknown-run", "chat.resume", NO_RUN),
    E("1.16.1/workflow-events__plain-chat-events", "chat.resume", NOT_WORKFLOW),
]
