"""What a person expects of what an app tells about itself, of keys and proxies, and of what no
operation asks for.

How the table was made stands in `expected_exchanges.py`.
"""


from __future__ import annotations

from contract.expected_outcomes import (
    BAD_HEADER,
    BAD_KEY,
    DISABLED,
    NO_ROUTE,
    UNAVAILABLE,
    Info,
    Json,
    Meta,
    Parameters,
    Ran,
    Refused,
    Site,
)
from contract.expected_outcomes import Expected as E

ASK = ("What is Dify?", "Say hi")
Q = ("Q one?", "Q two?")
NOT_WORKFLOW = Refused(400, "not_workflow_app", "Please check if your app mode matches the right API route.")


def icon(provider: str) -> str:
    """Where the server keeps the icon of a built-in tool."""
    return f"/console/api/workspaces/current/tool-provider/builtin/{provider}/icon"


APPS = [
    # 0.15.3/info
    # This version does not tell the mode.
    E("0.15.3/info__agent-chat", "app.info", Info("agent-chat", "Agent")),
    E("0.15.3/info__basic-chat", "app.info", Info("basic-chat", "A basic chat app")),
    E("0.15.3/info__chatflow", "app.info", Info("chatflow", "chatflow app")),
    E("0.15.3/info__completion", "app.info", Info("completion", "Completion")),
    E("0.15.3/info__deleted-app", "app.info", BAD_KEY),
    E("0.15.3/info__disabled-api", "app.info", DISABLED),
    E("0.15.3/info__failflow", "app.info", Info("failflow", "failflow app")),
    E("0.15.3/info__ghost-provider", "app.info", Info("ghost-provider", "ghost-provider")),
    E("0.15.3/info__iterfail", "app.info", Info("iterfail", "iterfail app")),
    E("0.15.3/info__no-model", "app.info",
      Info("no-model", "fresh chat app: default model (openai gpt-4o) never configured")),
    E("0.15.3/info__rag-chat", "app.info", Info("rag-chat", "rag-chat")),
    E("0.15.3/info__richflow", "app.info", Info("richflow", "richflow app")),
    # The welcome page.
    E("0.15.3/info__root-index", None,
      Json(200, {"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": "0.15.3"}),
        "no operation asks for it"),

    # 0.15.3/meta
    E("0.15.3/meta__agent-chat", "app.meta", Meta({"current_time": icon("time"), "eval_expression": icon("maths")})),
    E("0.15.3/meta__agent-react", "app.meta", Meta({"current_time": icon("time"), "eval_expression": icon("maths")})),
    E("0.15.3/meta__chatflow", "app.meta", Meta()),
    E("0.15.3/meta__completion", "app.meta", Meta()),
    E("0.15.3/meta__deleted-app", "app.meta", BAD_KEY),
    E("0.15.3/meta__failflow", "app.meta", Meta()),
    E("0.15.3/meta__ghost-provider", "app.meta", Meta()),
    E("0.15.3/meta__iterfail", "app.meta", Meta()),
    E("0.15.3/meta__multianswer", "app.meta", Meta()),
    E("0.15.3/meta__no-model", "app.meta", Meta()),
    E("0.15.3/meta__plain-chat", "app.meta", Meta()),
    E("0.15.3/meta__ragflow", "app.meta", Meta()),
    E("0.15.3/meta__richflow", "app.meta", Meta({"current_time": icon("time")})),
    E("0.15.3/meta__unpublished", "app.meta", Meta()),
    E("0.15.3/meta__workflow", "app.meta", Meta()),

    # 0.15.3/site
    # This version has no such route: it does not even look at the key.
    E("0.15.3/site__agent-chat", "app.site", NO_ROUTE),
    E("0.15.3/site__agent-react", "app.site", NO_ROUTE),
    E("0.15.3/site__chatflow", "app.site", NO_ROUTE),
    E("0.15.3/site__completion", "app.site", NO_ROUTE),
    E("0.15.3/site__deleted-app", "app.site", NO_ROUTE),
    E("0.15.3/site__disabled-api", "app.site", NO_ROUTE),
    E("0.15.3/site__failflow", "app.site", NO_ROUTE),
    E("0.15.3/site__ghost-provider", "app.site", NO_ROUTE),
    E("0.15.3/site__iterfail", "app.site", NO_ROUTE),
    E("0.15.3/site__multianswer", "app.site", NO_ROUTE),
    E("0.15.3/site__plain-chat", "app.site", NO_ROUTE),
    E("0.15.3/site__rag-chat", "app.site", NO_ROUTE),
    E("0.15.3/site__ragflow", "app.site", NO_ROUTE),

    # 0.15.3/parameters
    E("0.15.3/parameters__agent-chat", "app.parameters",
      Parameters("I am an agent", suggested=ASK, on="suggest speech tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("0.15.3/parameters__basic-chat-with-user", "app.parameters",
      Parameters("Hello from {{city}}, how can I help? 你好", suggested=ASK,
        form="city:text-input!/12 bio:paragraph/100 tone:select age:number/3",
        on="suggest speech tts citations files images", files="3 image document .JPG .PNG", voice="alloy")),
    E("0.15.3/parameters__chatflow", "app.parameters",
      Parameters("Hello {{city}}! I am a chatflow.", suggested=Q,
        form="city:text-input!/12 bio:paragraph/100 tone:select age:number/48 doc:file/5",
        on="suggest citations files", files="3 image")),
    # The opening statement is null.
    E("0.15.3/parameters__completion", "app.parameters",
      Parameters(None, form="query:paragraph!", on="tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("0.15.3/parameters__completion-with-user", "app.parameters",
      Parameters(None, form="query:paragraph!", on="tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("0.15.3/parameters__deleted-app", "app.parameters", BAD_KEY),
    E("0.15.3/parameters__failflow-with-user", "app.parameters", Parameters()),
    # An app that nobody configured: speech tells no voice.
    E("0.15.3/parameters__ghost-provider", "app.parameters", Parameters(None, voice=None)),
    E("0.15.3/parameters__iterfail", "app.parameters", Parameters()),
    E("0.15.3/parameters__multianswer", "app.parameters", Parameters()),
    E("0.15.3/parameters__multianswer-with-user", "app.parameters", Parameters()),
    E("0.15.3/parameters__plain-chat", "app.parameters", Parameters()),
    E("0.15.3/parameters__plain-chat-annotation-enabled", "app.parameters", Parameters(on="citations annotations")),
    E("0.15.3/parameters__richflow", "app.parameters", Parameters(form="docs:file-list/5")),
    E("0.15.3/parameters__unpublished", "app.parameters", UNAVAILABLE),
    E("0.15.3/parameters__workflow-with-user", "app.parameters", Parameters(form="city:text-input!/12")),

    # 0.15.3/auth-parameters
    E("0.15.3/auth-parameters__dataset-key-like", "app.parameters", BAD_KEY),
    E("0.15.3/auth-parameters__empty-bearer", None, BAD_HEADER, "the key always comes as Bearer and is not empty"),
    E("0.15.3/auth-parameters__lowercase-bearer-ok", None,
      Parameters(), "the key always comes as Bearer and is not empty"),
    E("0.15.3/auth-parameters__no-auth", None, BAD_HEADER, "the key always comes as Bearer and is not empty"),

    # 0.15.3/errors
    E("0.15.3/errors__gzip-parameters", "app.parameters", Parameters()),
    E("0.15.3/errors__trailing-slash", None, NO_ROUTE, "a trailing slash"),

    # 0.15.3/keepalive
    E("0.15.3/keepalive__parameters", "app.parameters", Parameters()),

    # 0.15.3/nginx
    E("0.15.3/nginx__upload-16MB-413", "files.upload", Refused(413, None)),

    # 0.15.3/root
    E("0.15.3/root__no-auth", None,
      Json(200, {"welcome": "Dify OpenAPI", "api_version": "v1", "server_version": "0.15.3"}),
        "no operation asks for it"),

    # 0.15.3/workflows-run
    E("0.15.3/workflows-run__ok-blocking", "workflows.run", Ran("6555", "succeeded", {"out": "Hi Paris"})),
    E("0.15.3/workflows-run__wrong-mode-chatflow", "workflows.run", NOT_WORKFLOW),
    E("0.15.3/workflows-run__wrong-mode-plain-chat", "workflows.run", NOT_WORKFLOW),

    # 0.15.3/completion-messages
    E("0.15.3/completion-messages__wrong-mode-chatflow", "completion.send", UNAVAILABLE),

    # 1.12.1/info
    E("1.12.1/info__agent-chat", "app.info", Info("agent-chat", "agent-chat", "agent-chat", "Admin")),
    E("1.12.1/info__agent-react", "app.info", Info("agent-react", "agent-react", "agent-chat", "Admin")),
    E("1.12.1/info__agentflow", "app.info", Info("agentflow", "agentflow app", "advanced-chat", "Admin")),
    E("1.12.1/info__basic-chat", "app.info", Info("basic-chat", "basic-chat", "chat", "Admin")),
    E("1.12.1/info__chatflow", "app.info", Info("chatflow", "chatflow app", "advanced-chat", "Admin")),
    E("1.12.1/info__deleted-app", "app.info", BAD_KEY),
    E("1.12.1/info__disabled-api", "app.info", DISABLED),
    E("1.12.1/info__failflow", "app.info", Info("failflow", "failflow app", "advanced-chat", "Admin")),
    E("1.12.1/info__ghost-provider", "app.info", Info("ghost-provider", "ghost-provider", "chat", "Admin")),
    E("1.12.1/info__iterfail", "app.info", Info("iterfail", "iterfail app", "advanced-chat", "Admin")),
    E("1.12.1/info__no-model", "app.info",
      Info("no-model", "fresh chat app: default model (openai gpt-4o) never configured", "chat", "Admin")),
    E("1.12.1/info__plain-chat", "app.info", Info("plain-chat", "plain-chat", "chat", "Admin")),
    E("1.12.1/info__ragflow", "app.info", Info("ragflow", "ragflow app", "advanced-chat", "Admin")),
    E("1.12.1/info__root-index", None, NO_ROUTE, "no operation asks for it"),
    E("1.12.1/info__unpublished", "app.info", Info("unpublished", "never published", "advanced-chat", "Admin")),

    # 1.12.1/meta
    E("1.12.1/meta__agentflow", "app.meta", Meta()),
    E("1.12.1/meta__basic-chat", "app.meta", Meta()),
    E("1.12.1/meta__chatflow", "app.meta", Meta()),
    E("1.12.1/meta__completion", "app.meta", Meta()),
    E("1.12.1/meta__deleted-app", "app.meta", BAD_KEY),
    E("1.12.1/meta__disabled-api", "app.meta", DISABLED),
    E("1.12.1/meta__failflow", "app.meta", Meta()),
    E("1.12.1/meta__iterfail", "app.meta", Meta()),
    E("1.12.1/meta__no-model", "app.meta", Meta()),
    E("1.12.1/meta__plain-chat", "app.meta", Meta()),
    E("1.12.1/meta__rag-chat", "app.meta", Meta()),
    E("1.12.1/meta__richflow", "app.meta", Meta({"current_time": icon("time")})),
    E("1.12.1/meta__workflow", "app.meta", Meta()),

    # 1.12.1/site
    # Apps of any mode have one, and those that were never published.
    E("1.12.1/site__agent-chat", "app.site", Site("agent-chat")),
    E("1.12.1/site__agent-react", "app.site", Site("agent-react")),
    E("1.12.1/site__agentflow", "app.site", Site("agentflow")),
    E("1.12.1/site__chatflow", "app.site", Site("chatflow")),
    E("1.12.1/site__deleted-app", "app.site", BAD_KEY),
    E("1.12.1/site__disabled-api", "app.site", DISABLED),
    E("1.12.1/site__failflow", "app.site", Site("failflow")),
    E("1.12.1/site__ghost-provider", "app.site", Site("ghost-provider")),
    E("1.12.1/site__multianswer", "app.site", Site("multianswer")),
    E("1.12.1/site__no-model", "app.site", Site("no-model")),
    E("1.12.1/site__plain-chat", "app.site", Site("plain-chat")),
    E("1.12.1/site__richflow", "app.site", Site("richflow")),
    E("1.12.1/site__unpublished", "app.site", Site("unpublished")),
    E("1.12.1/site__workflow", "app.site", Site("workflow")),

    # 1.12.1/parameters
    E("1.12.1/parameters__agent-chat", "app.parameters",
      Parameters("I am an agent", suggested=ASK, on="suggest speech tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("1.12.1/parameters__agent-react", "app.parameters",
      Parameters("I am an agent", suggested=ASK, on="suggest speech tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("1.12.1/parameters__basic-chat", "app.parameters",
      Parameters("Hello from {{city}}, how can I help? 你好", suggested=ASK,
        form="city:text-input!/12 bio:paragraph/100 tone:select age:number/3",
        on="suggest speech tts citations files images", files="3 image document .JPG .PNG", voice="alloy")),
    E("1.12.1/parameters__basic-chat-with-user", "app.parameters",
      Parameters("Hello from {{city}}, how can I help? 你好", suggested=ASK,
        form="city:text-input!/12 bio:paragraph/100 tone:select age:number/3",
        on="suggest speech tts citations files images", files="3 image document .JPG .PNG", voice="alloy")),
    E("1.12.1/parameters__chatflow-with-user", "app.parameters",
      Parameters("Hello {{city}}! I am a chatflow.", suggested=Q,
        form="city:text-input!/12 bio:paragraph/100 tone:select age:number/48 doc:file/5",
        on="suggest citations files", files="3 image document .JPG .PNG")),
    E("1.12.1/parameters__completion", "app.parameters",
      Parameters(None, form="query:paragraph!", on="tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("1.12.1/parameters__completion-with-user", "app.parameters",
      Parameters(None, form="query:paragraph!", on="tts citations files images",
        files="3 image document .JPG .PNG", voice="alloy")),
    E("1.12.1/parameters__disabled-api", "app.parameters", DISABLED),
    E("1.12.1/parameters__failflow", "app.parameters", Parameters()),
    E("1.12.1/parameters__failflow-with-user", "app.parameters", Parameters()),
    E("1.12.1/parameters__ghost-provider", "app.parameters", Parameters(None, voice=None)),
    E("1.12.1/parameters__iterfail", "app.parameters", Parameters()),
    E("1.12.1/parameters__no-model", "app.parameters", Parameters(None, voice=None)),
    E("1.12.1/parameters__plain-chat", "app.parameters", Parameters()),
    E("1.12.1/parameters__plain-chat-annotation-enabled", "app.parameters", Parameters(on="citations annotations")),
    E("1.12.1/parameters__plain-chat-with-user", "app.parameters", Parameters()),
    E("1.12.1/parameters__ragflow", "app.parameters", Parameters()),
    E("1.12.1/parameters__richflow", "app.parameters", Parameters(form="docs:file-list/5")),
    E("1.12.1/parameters__unpublished", "app.parameters", UNAVAILABLE),
    E("1.12.1/parameters__workflow", "app.parameters", Parameters(form="city:text-input!/12")),

    # 1.12.1/auth-parameters
    E("1.12.1/auth-parameters__basic-scheme", None,
      Refused(401, "unauthorized", "Authorization scheme must be 'Bearer'", "AuthenticationError"),
        "the key always comes as Bearer and is not empty"),
    E("1.12.1/auth-parameters__empty-bearer", None, BAD_HEADER, "the key always comes as Bearer and is not empty"),
    E("1.12.1/auth-parameters__lowercase-bearer-ok", None,
      Parameters(), "the key always comes as Bearer and is not empty"),
    E("1.12.1/auth-parameters__no-bearer", None, BAD_HEADER, "the key always comes as Bearer and is not empty"),

    # 1.12.1/errors
    E("1.12.1/errors__trailing-slash", None, NO_ROUTE, "a trailing slash"),

    # 1.12.1/nginx
    E("1.12.1/nginx__bad-key", "app.parameters", BAD_KEY),
    E("1.12.1/nginx__outside-v1-404", None, Refused(404, None, kind="NotFoundError"), "not below the base URL"),
    E("1.12.1/nginx__parameters", "app.parameters", Parameters()),
    # The proxy's, and its page: no code.
    E("1.12.1/nginx__upload-16MB-413", "files.upload", Refused(413, None)),
    E("1.12.1/nginx__upstream-down-502", "app.parameters", Refused(502, None, kind="ServerError")),
    E("1.12.1/nginx__v1-unknown-404", None, NO_ROUTE, "no such route"),

    # 1.12.1/root
    E("1.12.1/root__bare-404", None, NO_ROUTE, "not below the base URL"),

    # 1.12.1/health
    E("1.12.1/health__ok", None,
      Json(200, {"pid": 1313, "status": "ok", "version": "1.12.1"}), "not below the base URL"),

    # 1.12.1/workflows-run
    E("1.12.1/workflows-run__wrong-mode-plain-chat", "workflows.run", NOT_WORKFLOW),

    # 1.12.1/completion-messages
    E("1.12.1/completion-messages__wrong-mode-chatflow", "completion.send", UNAVAILABLE),
    E("1.12.1/completion-messages__wrong-mode-plain-chat", "completion.send", UNAVAILABLE),
]
