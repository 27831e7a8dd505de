"""What a person expects of every recorded stream: the reviewed table.

Each line says what the `Turn` should be, not what the code under test makes of it: ids,
texts and plain counts were tabulated from the bytes by a throwaway counter that shares
nothing with the package, then every line was read against its recording, and where
counting is not understanding (reasoning, ends, stops, retries) it was set by hand. A case
that looks odd has its reason in a comment above it.

How the less plain ones were judged:

* The order of the events decides nothing but the text: `workflow_finished` is not the end of
  a chatflow, and sound comes after `message_end`.
* A chat or an agent that was stopped ends like one that was not. The wire alone says
  succeeded there; only a client that posted the stop itself can say stopped.
* A chatflow of Dify 1.13 and newer says `message_end` before `workflow_finished`, and only the latter where it failed
  or was stopped: its status is the turn's, its error too, and nothing is missing.
* A run that waits for a person ends the stream at its pause: complete, with its forms.
* A workflow app has no `message_end`: its stream ends cleanly (`eof`) after
  `workflow_finished`, which makes it succeeded and complete. Such runs, and completions, have tables of their own.
* A body that ended before its end (`disconnected`) leaves the turn incomplete, with all the
  text that came; a node that was running then has the status unknown, since nobody told.
* Reasoning is taken out of the answer with the line breaks that follow it; blanks that a
  model puts before its text without any reasoning stay.
* Numbers that the server told are kept as told, also where they contradict each other.
"""

from __future__ import annotations

from contract.expected_completions import COMPLETIONS
from contract.expected_runs import RUNS
from contract.expected_turn import Expected, words

E = Expected

TABLE = [
    # The example streams of the documentation. Ids contradict each other along a stream: the first told is kept,
    # so message_end.id, and the ids of the tts events, are not the ids of the message.
    #
    # The text comes after workflow_finished, and starts with a blank that belongs to it. The node's 63 million tokens
    # are its own; usage says 1168.
    E("examples/advanced_chat_2025_workflow", "5ad4 4570 5ad4 5ad4",
       " I'm glad to meet you", nodes=1, citations=1, tokens=1168, audio_chunks=1),
    # Two data lines are no JSON ("message_id": : "..."): their " meet" and " you" are lost and must not be guessed.
    E("examples/advanced_chat_workflow", "5ad4 4570 5ad4 5ad4",
       " I'm glad to", nodes=1, citations=1, tokens=1168, audio_chunks=1, complete=False, warnings=2),
    # One line has the blank before its comma: good JSON. total_tokens is not the sum of the parts (184 told, 305 + 97).
    E("examples/chat_2024_agent", "1fb1 c216 9cf1 -",
       "I have created an image of a cute Japanese anime girl with white hair and blue eyes "
       "wearing a bunny girl suit .",
       thoughts=2, tools=("dalle3",), files=1, tokens=184),
    # retriever_resources lies inside usage here: still a citation. No task_id anywhere.
    E("examples/chat_2024_basic", "5ad4 4570 - -",
       " I'm glad to", citations=1, tokens=1168, complete=False, warnings=2),
    E("examples/chat_agent", "1fb1 c216 9cf1 -",
       "I have created an image of a cute Japanese anime girl with white hair and blue eyes "
       "wearing a bunny girl suit .",
       thoughts=2, tools=("dalle3",), files=1, citations=1, tokens=1168, audio_chunks=1),
    # The only task_id is that of the tts events, which is better than none.
    E("examples/chat_basic", "5ad4 4570 3bf8 -",
       " I'm glad to", citations=1, tokens=1168, audio_chunks=1, complete=False, warnings=2),

    # 0.15.3/chat-messages-annotation
    # An annotation answered: one event per character, nothing spent.
    E("0.15.3/chat-messages-annotation__plain-chat-annotation-hit-streaming", "9e7b c17d 9899 -",
       "42, says the annotation. 你好", tokens=0, annotated=True),

    # 0.15.3/chat-messages-concurrency
    E("0.15.3/chat-messages-concurrency__limited-after-disconnect-of-first", "6762 ee61 fea6 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),

    # 0.15.3/chat-messages-crash
    # The conversation was deleted meanwhile and the stream went on; the recorder closed it.
    E("0.15.3/chat-messages-crash__deleted-while-streaming", "fa65 9479 79de -",
       words(90), status="incomplete", end="disconnected", complete=False),
    E("0.15.3/chat-messages-crash__parallel-same-conversation-1", "6b70 0efb c0d4 -",
       "You said: parallel 1 (messages=5) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-crash__parallel-same-conversation-2", "3d27 0efb b017 -",
       "You said: parallel 2 (messages=5) 你好 🎉 naïve.", tokens=18),
    # The server was killed: the body ends without its last chunk, between two whole events.
    E("0.15.3/chat-messages-crash__worker-killed-mid-stream", "04d4 cee3 99d4 -",
       words(27), status="incomplete", end="disconnected", complete=False),

    # 0.15.3/chat-messages-disconnect
    # The client closed the socket. The thought was opened and never filled.
    E("0.15.3/chat-messages-disconnect__agent-chat-client-disconnect", "6c83 90ec e46d -",
       words(30), status="incomplete", end="disconnected", thoughts=1, complete=False),
    E("0.15.3/chat-messages-disconnect__plain-chat-client-disconnect", "752a ed94 e086 -",
       words(27), status="incomplete", end="disconnected", complete=False),

    # 0.15.3/chat-messages-errors
    E("0.15.3/chat-messages-errors__basic-chat-int-user", "980c 126d 28f4 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-errors__basic-chat-no-conversation-key", "391a 17ee ea63 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    # The server took the NUL out of the question.
    E("0.15.3/chat-messages-errors__basic-chat-nul-char-query", "20a0 7cd5 7d44 -",
       "You said: ab (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-errors__basic-chat-null-conversation", "b2be 7147 27a3 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-errors__basic-chat-number-empty", "0a22 022d 6e03 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-errors__basic-chat-number-float", "61c2 8057 418d -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-errors__basic-chat-number-string", "8490 8703 4196 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-files-not-list", "d0bb 9d30 22b2 cbd9",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-int-query", "2166 d872 672f d4d4",
       "Reply: You said: 5 (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-int-user", "85a4 ae1c 28a8 d49f",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-no-conversation-key", "65c6 ddab 1aaa 3c37",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-nul-char-query", "f845 d8e9 0184 542c",
       "Reply: You said: ab (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-null-conversation", "42ee caa1 cd19 d337",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-number-empty", "0426 b1b2 e825 17dc",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-number-float", "382a cc6f 4d32 74a0",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages-errors__chatflow-required-var-empty", "6175 088f 3b16 c356",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),

    # 0.15.3/chat-messages-files
    # Agents of this version tell total_tokens 0 beside prompt and completion tokens that are not: as told.
    E("0.15.3/chat-messages-files__agent-chat-file-local-notool", "42bb 71e0 a472 -",
       "You said: NOTOOL look [image_url] (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=0),
    E("0.15.3/chat-messages-files__agent-chat-file-local-what", "7057 dca7 712f -",
       'The tool said: The result of the expression "6*7" is 42. Done.', thoughts=2,
       tools=("eval_expression",), tokens=0),
    E("0.15.3/chat-messages-files__basic-chat-file-doc", "e229 0cfe 6e94 -",
       "You said: describe (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-files__basic-chat-file-local-streaming", "7a66 7aca ba5c -",
       "You said: describe [image_url] (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages-files__basic-chat-file-other-user", "2c45 eb94 c504 -",
       "You said: describe [image_url] (messages=2) 你好 🎉 naïve.", tokens=18),
    # The model could not fetch the file: an error event, the only one with status 500, and nothing else.
    E("0.15.3/chat-messages-files__basic-chat-file-remote", "9be3 b729 - -",
       "", status="failed", end="error", error_code="internal_server_error"),
    # workflow_finished(failed) comes first, then error. The text before the failing node stays.
    E("0.15.3/chat-messages-files__chatflow-file-remote", "39fb 2435 138c b8ab",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("0.15.3/chat-messages-files__chatflow-file-variable", "67d7 2915 2bf8 ef79",
       "Reply: You said: describe (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),

    # 0.15.3/chat-messages-llm-errors
    # The error is the only event: it brings message and conversation, no task.
    E("0.15.3/chat-messages-llm-errors__agent-chat-http401-streaming", "f503 516d - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    E("0.15.3/chat-messages-llm-errors__agent-chat-ratelimit-streaming", "6571 b681 - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    E("0.15.3/chat-messages-llm-errors__chatflow-http401-streaming", "28f8 ecec 7f44 dc2d",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("0.15.3/chat-messages-llm-errors__chatflow-http500-streaming", "8b9d 3c43 82ff e41e",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("0.15.3/chat-messages-llm-errors__plain-chat-http401-streaming", "2a0e dfa2 - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    # Text, then error: what came is kept.
    E("0.15.3/chat-messages-llm-errors__plain-chat-midfail-streaming", "068f a8b5 4826 -",
       "this answer will break before", status="failed", end="error",
       error_code="completion_request_error"),

    # 0.15.3/chat-messages-moderation
    # message_replace throws away all that was streamed.
    E("0.15.3/chat-messages-moderation__mod-chat-output-blocked-streaming", "ee8a 0e86 3761 -",
       "OUTPUT BLOCKED 你好", tokens=18, replaced=True),
    # Blocked before the run: no workflow events, and metadata is {}: tokens unknown rather than 0.
    E("0.15.3/chat-messages-moderation__mod-flow-input-blocked-streaming", "f610 5b94 063d -",
       "INPUT BLOCKED 你好"),
    # The replacement comes after workflow_finished.
    E("0.15.3/chat-messages-moderation__mod-flow-output-blocked-streaming", "ec5f c4bc e88d 3209",
       "OUTPUT BLOCKED 你好", nodes=3, tokens=18, replaced=True),

    # 0.15.3/chat-messages-node-errors
    E("0.15.3/chat-messages-node-errors__failflow-after-streaming", "8128 92cc 5d0e 3e8d",
       "Before the failure. ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"HTTP Request": "failed"}),
    E("0.15.3/chat-messages-node-errors__failflow-code-streaming", "e0e6 db8a 367b 0128",
       "", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"Code": "failed"}),
    # A default value stood in for the failed node: workflow status partial-succeeded.
    E("0.15.3/chat-messages-node-errors__failflow-default-streaming", "c2d0 2c1e 7c1f 318a",
       "default: DEFAULT BODY", status="partial_succeeded", nodes=4,
       node_status={"HTTP Request": "exception"}, tokens=0),
    # Every node_retry and the node_finished have a data.id that was never started (b867 started; 2adc, 6f64 and 203b
    # retried; 203b finished): one run of one node all the same, told apart by node_id.
    E("0.15.3/chat-messages-node-errors__failflow-retry-streaming", "cf36 2775 0ae6 2387",
       "", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"HTTP Request": "failed"}, retries=3),
    E("0.15.3/chat-messages-node-errors__failflow-status-streaming", "5118 df53 3688 dfda",
       "status: ", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"HTTP Request": "failed"}),

    # 0.15.3/chat-messages-ping
    # Ping before the first data event.
    E("0.15.3/chat-messages-ping__agent-chat-slow-start", "1039 298d 4383 -",
       "You said: NOTOOL SLOWSTART12 (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=0, pings=1),
    # Pings between node_started and the first token.
    E("0.15.3/chat-messages-ping__chatflow-slow-start", "144d ace8 d80d 6c03",
       "Reply: You said: SLOWSTART25 (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18, pings=2),
    E("0.15.3/chat-messages-ping__multianswer-slow-node", "5152 018c 25c2 551c",
       "First part. Second part slow.", nodes=4, tokens=0, pings=1),
    E("0.15.3/chat-messages-ping__plain-chat-slow-start", "6378 b0e7 fdab -",
       "You said: SLOWSTART35 (messages=1) 你好 🎉 naïve.", tokens=18, pings=3),

    # 0.15.3/chat-messages-stop
    # Stopped by another user: the server said yes and went on; the recorder closed the socket.
    E("0.15.3/chat-messages-stop__agent-chat-stopped-by-other-user", "d68a 2e3b 32cb -",
       words(79), status="incomplete", end="disconnected", thoughts=1, complete=False),
    # Really stopped, and nothing in the stream says so: message_end as always, without the closing thought. The wire
    # alone says succeeded; who posted the stop knows better.
    E("0.15.3/chat-messages-stop__agent-chat-stopped-by-same-user", "864d 0ba3 1956 -",
       words(22), thoughts=1, tokens=71),
    # The end of the node that was running is not known.
    E("0.15.3/chat-messages-stop__chatflow-stopped-by-other-user", "5049 a708 cf2f 91e1",
       "Reply: " + words(79), status="incomplete", end="disconnected", nodes=4,
       node_status={"LLM": "unknown"}, complete=False),
    # Stopped by the key of a workflow app, in vain; the recorder closed the socket.
    E("0.15.3/chat-messages-stop__chatflow-stopped-via-workflow-stop", "a03e b5e7 12fa 7af4",
       "Reply: " + words(140), status="incomplete", end="disconnected", nodes=4,
       node_status={"LLM": "unknown"}, complete=False),
    E("0.15.3/chat-messages-stop__plain-chat-stopped-by-other-user", "489c 656a 21ec -",
       words(80), status="incomplete", end="disconnected", complete=False),
    # As above: really stopped, no mark.
    E("0.15.3/chat-messages-stop__plain-chat-stopped-by-same-user", "d976 0ac4 1502 -",
       words(20), tokens=57),

    # 0.15.3/chat-messages-tts
    # Sound after message_end.
    E("0.15.3/chat-messages-tts__tts-chat-streaming", "6d60 a9c1 8efb -",
       "You said: say hi (messages=1) 你好 🎉 naïve.", tokens=18, audio_chunks=2),

    # 0.15.3/chat-messages
    # The tool failed, the agent did not.
    E("0.15.3/chat-messages__agent-chat-badtool", "a8c9 cf94 279a -",
       "The tool said: Invalid expression: 6*/7, error: invalid syntax (<expr>, line 1). Done.",
       thoughts=2, tools=("eval_expression",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-empty", "9fcb 0f32 d2d6 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-no-autoname", "e6ee b6d8 dc8e -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-notool", "5c08 ecf2 b32f -",
       "You said: NOTOOL hi (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=0),
    E("0.15.3/chat-messages__agent-chat-speak", "6d27 754c 6274 -",
       'Let me use a tool. The tool said: The result of the expression "6*7" is 42. Done.', thoughts=2,
       tools=("eval_expression",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-streaming-turn2", "96d3 60d3 17b1 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-streaming", "8834 60d3 a9fc -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=0),
    # The agent did not think, whatever its name says.
    E("0.15.3/chat-messages__agent-chat-think", "3f71 143b d610 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-time-t", "1af9 7cbf 0338 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=0),
    E("0.15.3/chat-messages__agent-chat-what", "0fe1 53ec 0bb9 -",
       'The tool said: The result of the expression "6*7" is 42. Done.', thoughts=2,
       tools=("eval_expression",), tokens=0),
    # A picture made by a tool, announced by message_file and named by the thought.
    E("0.15.3/chat-messages__agent-file-qr", "7d75 b100 75ea -",
       "The tool said: image has been created and sent to user already, you do not need to create "
       "it, just tell the user to check it now.. Done.",
       thoughts=2, tools=("qrcode_generator",), files=1, tokens=0),
    E("0.15.3/chat-messages__agent-react-notool", "694d a662 ef13 -",
       "You said: NOTOOL hi (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=0),
    E("0.15.3/chat-messages__agent-react-what", "edb2 6390 6dd2 -",
       'The tool said: The result of the expression "6*7" is 42. Done.', thoughts=2,
       tools=("eval_expression",), tokens=0),
    E("0.15.3/chat-messages__basic-chat-empty", "1129 1a3f 4d30 -", "", tokens=18),
    E("0.15.3/chat-messages__basic-chat-markdown", "883a f47b b0e7 -",
       '# Title\n\n```python\nprint("hi")\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$E=mc^2$',
       tokens=18),
    E("0.15.3/chat-messages__basic-chat-no-autoname", "b274 f65a 8382 -",
       "You said: no auto name (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages__basic-chat-streaming-turn2", "381c 9009 9a11 -",
       "You said: Second question (messages=6) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages__basic-chat-streaming", "76f3 9009 4213 -",
       'You said: Hello there 你好 "quote" <b> \\n (messages=2) 你好 🎉 naïve.', tokens=18),
    # Reasoning as <details>, closed by "\n</details>" and a line break that goes with it.
    E("0.15.3/chat-messages__basic-chat-think", "028f 0ce9 a95e -",
       "Hello after thinking.", reasoning="I should greet.", tokens=18),
    E("0.15.3/chat-messages__basic-chat-turn2-empty-inputs", "a471 e606 5ed6 -",
       "You said: two (messages=4) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages__basic-chat-turn2-other-inputs", "3c4c be2d 75d7 -",
       "You said: Third (messages=8) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages__chatflow-age-as-string", "aafc 4827 0f8c d88c",
       "Reply: You said: all (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-empty", "3a6c 90ad 3fb0 d3d6",
       "Reply: \n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-markdown", "4fd7 fbb7 7987 4c44",
       'Reply: # Title\n\n```python\nprint("hi")\n```\n\n| a | b |\n|---|---|\n| 1 | 2 '
       "|\n\n$E=mc^2$\n(count 1)",
       nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-no-autoname", "8750 3daa f8b1 9b1e",
       "Reply: You said: no auto name (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-streaming-turn2", "58d2 a93c 5748 ce29",
       "Reply: You said: Second question (messages=4) 你好 🎉 naïve.\n(count 2)", nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-streaming", "1242 a93c bd70 58e4",
       'Reply: You said: Hello there 你好 "quote" <b> \\n (messages=2) 你好 🎉 naïve.\n(count 1)', nodes=5,
       tokens=18),
    E("0.15.3/chat-messages__chatflow-template", "43de 5a5c 61b0 b33d",
       "Template says use template in Paris (1)", nodes=5, tokens=0),
    # Reasoning in the middle: "Reply: " stands before it.
    E("0.15.3/chat-messages__chatflow-think", "0221 fb06 0a08 0a19",
       "Reply: Hello after thinking.\n(count 1)", reasoning="I should greet.", nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-turn2-empty-inputs", "ab01 93ca 13f0 1c92",
       "Reply: You said: two (messages=4) 你好 🎉 naïve.\n(count 2)", nodes=5, tokens=18),
    E("0.15.3/chat-messages__chatflow-turn2-other-inputs", "22bc 3bbf 64e4 03ec",
       "Reply: You said: Third (messages=6) 你好 🎉 naïve.\n(count 3)", nodes=5, tokens=18),
    # Start, route, list, the iteration, three rounds, answer. The middle round failed and the run went on.
    E("0.15.3/chat-messages__iterfail-continue-streaming", "233e 7ac9 cecb 81ce",
       "out=/OK1\nNone\n/OK2", nodes=8, rounds={"Iter a": 3}, node_status={"Inner": "failed"}, tokens=0),
    # Rounds at once: all three inner runs start before the first ends; iteration_next counts 0, 3, 2, 1.
    E("0.15.3/chat-messages__iterfail-parallel-streaming", "af5f c92e 5345 7494",
       "out=/OK1\n/OK2", nodes=8, rounds={"Iter b": 3}, node_status={"Inner": "failed"}, tokens=0),
    # iteration_completed(failed) comes before the node_finished of the round that broke it.
    E("0.15.3/chat-messages__iterfail-terminate-streaming", "78ad c944 a468 6231",
       "", status="failed", end="error", error_code="invalid_param", nodes=6, rounds={"Iter c": 2},
       node_status={"Iter c": "failed", "Inner": "failed"}),
    # workflow_finished joins the two answers with a line break; the stream does not, and the stream is what was read.
    E("0.15.3/chat-messages__multianswer-streaming", "b6ce a2f6 014a 0547",
       "First part. Second part capital of Freedonia.", nodes=4, tokens=0),
    E("0.15.3/chat-messages__plain-chat-markdown", "66b7 8a5c 91a8 -",
       '# Title\n\n```python\nprint("hi")\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$E=mc^2$',
       tokens=18),
    E("0.15.3/chat-messages__plain-chat-streaming-turn2", "aff9 a8de 6c38 -",
       "You said: Second question (messages=5) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages__plain-chat-streaming", "15a1 a8de 252c -",
       'You said: Hello there 你好 "quote" <b> \\n (messages=1) 你好 🎉 naïve.', tokens=18),
    E("0.15.3/chat-messages__plain-chat-think", "62a1 2fa7 a166 -",
       "Hello after thinking.", reasoning="I should greet.", tokens=18),
    E("0.15.3/chat-messages__plain-chat-turn2-other-inputs", "431f 147e 167b -",
       "You said: Third (messages=7) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/chat-messages__ragflow-streaming", "2329 8ec6 8dca 9ea4",
       "You said: What is the capital of Freedonia? (messages=2) 你好 🎉 naïve.", nodes=4, citations=2,
       tokens=18),

    # 0.15.3/errors
    E("0.15.3/errors__accept-json-chat-stream", "a1a9 85e2 283b -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/errors__gzip-chat-stream", "491c dd82 eff6 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),

    # 0.15.3/keepalive
    E("0.15.3/keepalive__chat-streaming", "1a80 3e5a 4e96 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),

    # 0.15.3/messages-rich
    # The fail branch answered.
    E("0.15.3/messages-rich__continue-after-error-failflow-after", "b83d 214e 4ad1 72c4",
       "failed branch: [Errno 111] Connection refused / HttpRequestNodeError",
       status="partial_succeeded", nodes=4, node_status={"HTTP Request": "exception"}, tokens=0),
    E("0.15.3/messages-rich__continue-after-error-failflow-plain", "93b9 d736 b697 2cc9",
       "failed branch: [Errno 111] Connection refused / HttpRequestNodeError",
       status="partial_succeeded", nodes=4, node_status={"HTTP Request": "exception"}, tokens=0),
    E("0.15.3/messages-rich__continue-after-error-plain-chat-MIDFAIL", "5854 96f6 eb05 -",
       "You said: hi (messages=3) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/messages-rich__seed-agent-chat-SPEAK", "8d05 de0b a69b -",
       'Let me use a tool. The tool said: The result of the expression "6*7" is 42. Done.', thoughts=2,
       tools=("eval_expression",), tokens=0),
    E("0.15.3/messages-rich__seed-basic-chat-hi", "ab32 2075 51a7 -",
       "You said: hi (messages=2) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/messages-rich__seed-chatflow-HTTP500", "e162 5590 895b 4055",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("0.15.3/messages-rich__seed-chatflow-hi", "93bd 47b4 58a3 b4bf",
       "Reply: You said: hi (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("0.15.3/messages-rich__seed-failflow-after", "67ae 214e f399 a799",
       "Before the failure. ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"HTTP Request": "failed"}),
    E("0.15.3/messages-rich__seed-failflow-plain", "831e d736 fece 62f2",
       "", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"HTTP Request": "failed"}),

    # 0.15.3/nginx
    E("0.15.3/nginx__chat-streaming-keepalive", "2625 6736 10c9 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),
    E("0.15.3/nginx__chat-streaming-slow-start", "83d2 1f82 f165 -",
       "You said: SLOWSTART12 (messages=1) 你好 🎉 naïve.", tokens=18, pings=1),

    # 1.12.1/chat-messages-annotation
    E("1.12.1/chat-messages-annotation__plain-chat-annotation-hit-streaming", "38d0 2d8a 8d19 -",
       "42, says the annotation. 你好", tokens=0, annotated=True),

    # 1.12.1/chat-messages-concurrency
    # The recorder closed it when the second request had been refused.
    E("1.12.1/chat-messages-concurrency__limited-first", "098e 4d21 4cbe -",
       words(58), status="incomplete", end="disconnected", complete=False),

    # 1.12.1/chat-messages-crash
    # The conversation was deleted meanwhile and the stream went on; the recorder closed it.
    E("1.12.1/chat-messages-crash__deleted-while-streaming", "9fda bd53 0521 -",
       words(88), status="incomplete", end="disconnected", complete=False),
    E("1.12.1/chat-messages-crash__parallel-same-conversation-2", "3ae0 e39f 7ea0 -",
       "You said: parallel 2 (messages=5) 你好 🎉 naïve.", tokens=18),

    # 1.12.1/chat-messages-disconnect
    # Closed by the client, both.
    E("1.12.1/chat-messages-disconnect__agent-chat-client-disconnect", "57be feac e106 -",
       words(19), status="incomplete", end="disconnected", thoughts=1, complete=False),
    E("1.12.1/chat-messages-disconnect__chatflow-client-disconnect", "663b cf26 4642 a503",
       "Reply: " + words(21), status="incomplete", end="disconnected", nodes=4,
       node_status={"LLM": "unknown"}, complete=False),

    # 1.12.1/chat-messages-errors
    E("1.12.1/chat-messages-errors__basic-chat-file-remote-no-url", "fd6c e0ba a633 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-no-conversation-key", "47c7 69e6 8553 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-nul-char-query", "2e5b 0eb6 b4a4 -",
       "You said: ab (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-null-conversation", "b74e 30f0 0e0a -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-number-empty", "e1dd 1d27 b00b -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-number-float", "725e 9924 067d -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-number-string", "76ae 58e2 c317 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__basic-chat-required-var-empty", "9c0c f0f0 5a62 -",
       "You said: x (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-file-remote-no-url", "1a80 2c00 3172 5892",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-int-user", "c15d 8d6a 93a8 0364",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-no-conversation-key", "4011 c6f6 3dee 04c5",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-nul-char-query", "7636 26d5 fd69 6f98",
       "Reply: You said: ab (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-number-float", "8479 0eb4 4dde c431",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-number-string", "acfc 0047 bdf4 cb7f",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__chatflow-required-var-empty", "9cfc e25b 18ea 5715",
       "Reply: You said: x (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-errors__no-model-streaming", "2bc0 3e0f 9d02 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),

    # 1.12.1/chat-messages-files
    # The first form of the thought already holds the final text.
    E("1.12.1/chat-messages-files__agent-chat-file-local-notool", "c605 d6b5 565f -",
       "You said: [image] NOTOOL look (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=18),
    E("1.12.1/chat-messages-files__agent-chat-file-local-what", "7b7a 61ec 0299 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=36),
    # A chat with a file: the whole text comes as message_file with an answer and no url. No file, no message event.
    E("1.12.1/chat-messages-files__basic-chat-file-doc", "61a6 a2de 00e4 -",
       "You said: [document] describe (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-files__basic-chat-file-remote", "8dac 792b 7fab -",
       "You said: [image] describe (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-files__basic-chat-file-turn1", "fd1a e87b cab2 -",
       "You said: [image] look (messages=2) 你好 🎉 naïve.", tokens=18),
    # The turn after: ordinary message events again.
    E("1.12.1/chat-messages-files__basic-chat-file-turn2-without-file", "47fc e87b 66c5 -",
       "You said: and now? (messages=4) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages-files__chatflow-file-doc", "48b0 8989 fa11 029f",
       "Reply: You said: describe (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-files__chatflow-file-local-streaming", "a4fe 0d68 bf54 2d09",
       "Reply: You said: [image] describe (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-files__chatflow-file-other-user", "7b87 f913 312a 163f",
       "Reply: You said: [image] describe (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-files__chatflow-file-remote", "4542 1abd ed1f 3925",
       "Reply: You said: [image] describe (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages-files__chatflow-file-variable", "5fd6 01db dd62 5716",
       "Reply: You said: describe (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),

    # 1.12.1/chat-messages-llm-errors
    E("1.12.1/chat-messages-llm-errors__agent-chat-http401-streaming", "8f38 c663 - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    # Thought opened, text, then error.
    E("1.12.1/chat-messages-llm-errors__agent-chat-midfail-streaming", "c124 ca46 c5b7 -",
       "this answer will break before", status="failed", end="error",
       error_code="completion_request_error", thoughts=1),
    E("1.12.1/chat-messages-llm-errors__agent-chat-ratelimit-streaming", "3911 400a - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    E("1.12.1/chat-messages-llm-errors__chatflow-http401-streaming", "8c6d 6d95 75c9 1351",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("1.12.1/chat-messages-llm-errors__chatflow-ratelimit-streaming", "9943 6dac afb8 6e9c",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("1.12.1/chat-messages-llm-errors__plain-chat-http500-streaming", "dd4d 7858 - -",
       "", status="failed", end="error", error_code="completion_request_error"),

    # 1.12.1/chat-messages-moderation
    # The preset text, character by character, and no message_replace.
    E("1.12.1/chat-messages-moderation__mod-chat-input-blocked-streaming", "6d13 6888 8bd2 -",
       "INPUT BLOCKED 你好", tokens=0),
    E("1.12.1/chat-messages-moderation__mod-chat-output-blocked-streaming", "e225 912a 6a79 -",
       "OUTPUT BLOCKED 你好", tokens=18, replaced=True),
    E("1.12.1/chat-messages-moderation__mod-flow-input-blocked-streaming", "51b0 9ba1 6389 -",
       "INPUT BLOCKED 你好", tokens=0),
    # Here message_replace gives a reason: "output_moderation".
    E("1.12.1/chat-messages-moderation__mod-flow-output-blocked-streaming", "12fb 8785 262c a91a",
       "OUTPUT BLOCKED 你好", nodes=3, tokens=18, replaced=True),

    # 1.12.1/chat-messages-node-errors
    E("1.12.1/chat-messages-node-errors__failflow-after-streaming", "1486 8911 b248 ffcd",
       "Before the failure. ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"HTTP Request": "failed"}),
    # The text of the branch comes before the node_finished(exception) that it tells of.
    E("1.12.1/chat-messages-node-errors__failflow-branch-streaming", "0c70 0539 5b0e 3200",
       "failed branch: [Errno 111] Connection refused / HttpRequestNodeError",
       status="partial_succeeded", nodes=4, node_status={"HTTP Request": "exception"}, tokens=0),
    E("1.12.1/chat-messages-node-errors__failflow-code-streaming", "b182 49fe 98bf 5a5b",
       "", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"Code": "failed"}),
    E("1.12.1/chat-messages-node-errors__failflow-default-streaming", "0190 aeb6 21e5 5e55",
       "default: DEFAULT BODY", status="partial_succeeded", nodes=4,
       node_status={"HTTP Request": "exception"}, tokens=0),
    # Here the retries keep the data.id of the start.
    E("1.12.1/chat-messages-node-errors__failflow-retry-streaming", "9dbf 2b3f de52 ac55",
       "", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"HTTP Request": "failed"}, retries=3),
    E("1.12.1/chat-messages-node-errors__failflow-status-streaming", "5aa5 2d90 3df6 0613",
       "status: ", status="failed", end="error", error_code="invalid_param", nodes=3,
       node_status={"HTTP Request": "failed"}),

    # 1.12.1/chat-messages-ping
    E("1.12.1/chat-messages-ping__agent-chat-slow-start", "5772 418a 3f82 -",
       "You said: NOTOOL SLOWSTART12 (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=18, pings=1),
    E("1.12.1/chat-messages-ping__chatflow-slow-start", "a466 c37f 366e aaf7",
       "Reply: You said: SLOWSTART25 (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18, pings=2),
    E("1.12.1/chat-messages-ping__multianswer-slow-node", "a70b f625 301d a1a7",
       "First part. Second part slow.", nodes=4, tokens=0, pings=1),

    # 1.12.1/chat-messages-stop
    # The server said yes and went on; the recorder closed the socket.
    E("1.12.1/chat-messages-stop__chatflow-stopped-by-other-user", "2f57 b579 a8d8 75dc",
       "Reply: " + words(74), status="incomplete", end="disconnected", nodes=4,
       node_status={"LLM": "unknown"}, complete=False),
    # workflow_finished(stopped), then message_end; the LLM node never finishes, so it was stopped with the run.
    E("1.12.1/chat-messages-stop__chatflow-stopped-by-same-user", "bdf4 dcae 9a42 424d",
       "Reply: " + words(38), status="stopped", nodes=4, node_status={"LLM": "stopped"}, tokens=0),
    # The key of a workflow app can stop it here.
    E("1.12.1/chat-messages-stop__chatflow-stopped-via-workflow-stop", "51a7 6640 10d8 37e1",
       "Reply: " + words(39), status="stopped", nodes=4, node_status={"LLM": "stopped"}, tokens=0),
    E("1.12.1/chat-messages-stop__plain-chat-stopped-by-other-user", "1b09 3ef4 6549 -",
       words(78), status="incomplete", end="disconnected", complete=False),

    # 1.12.1/chat-messages-tts
    # Sound after message_end.
    E("1.12.1/chat-messages-tts__tts-flow-streaming", "7a3e 2e78 cf43 d865",
       "You said: say hi (messages=2) 你好 🎉 naïve.", nodes=3, tokens=18, audio_chunks=5),

    # 1.12.1/chat-messages
    E("1.12.1/chat-messages__agent-chat-empty", "f5e3 6395 fa8e -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=36),
    E("1.12.1/chat-messages__agent-chat-no-autoname", "527a ab82 11c8 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=36),
    E("1.12.1/chat-messages__agent-chat-notool", "2f75 772f 17e1 -",
       "You said: NOTOOL hi (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=18),
    E("1.12.1/chat-messages__agent-chat-speak", "427c 822d 103c -",
       "Let me use a tool. The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",),
       tokens=36),
    E("1.12.1/chat-messages__agent-chat-streaming", "44a1 7991 ed90 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=36),
    E("1.12.1/chat-messages__agent-chat-time-t", "f1d6 9a75 b21b -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=36),
    # ReAct streams its thoughts as text, each with the blank after "Thought:"; nothing closes the last thought.
    E("1.12.1/chat-messages__agent-cot-notool", "9a74 1041 a9dc -",
       " no tool needed.\n\nHi there, plain.", thoughts=1, tokens=18),
    # The second thought is opened and stays empty.
    E("1.12.1/chat-messages__agent-cot-what", "0beb 2258 0b9f -",
       " I should calculate.\n\n I know the answer now.\n\nThe answer is 42.", thoughts=2,
       tools=("eval_expression",), tokens=36),
    E("1.12.1/chat-messages__agent-react-notool", "2676 f845 0e3f -",
       "You said: NOTOOL hi (messages=2) 你好 🎉 naïve.", thoughts=1, tokens=18),
    E("1.12.1/chat-messages__agent-react-what", "a281 4846 2496 -",
       "The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",), tokens=36),
    # Agent nodes in a chatflow: a log of three entries (round, thought, call), each told twice, as a tree.
    E("1.12.1/chat-messages__agentflow-agentfail-streaming", "5c89 957a 51bb 86bc",
       "", status="failed", end="error", error_code="invalid_param", logs=3, nodes=2,
       node_status={"Agent": "failed"}),
    # The call failed (status error) and the node did not. total_tokens 18 beside 0 + 0.
    E("1.12.1/chat-messages__agentflow-toolerr-streaming", "f61c 3a36 bfb8 5f97",
       "The agent node says 42 你好 for: TOOLERR", logs=3, nodes=3, tokens=18),
    E("1.12.1/chat-messages__basic-chat-all-inputs", "93d9 4672 3e81 -",
       "You said: all (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages__basic-chat-empty", "1305 7021 f87b -", "", tokens=18),
    E("1.12.1/chat-messages__basic-chat-extra-input", "5992 8871 b643 -",
       "You said: extra (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages__basic-chat-markdown", "1c5f 0088 5878 -",
       '# Title\n\n```python\nprint("hi")\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$E=mc^2$',
       tokens=18),
    E("1.12.1/chat-messages__basic-chat-no-autoname", "109c 1c7f dc7b -",
       "You said: no auto name (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages__basic-chat-streaming-turn2", "838c 4a18 0bfc -",
       "You said: Second question (messages=4) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages__basic-chat-streaming", "85f8 4a18 9959 -",
       'You said: Hello there 你好 "quote" <b> \\n (messages=2) 你好 🎉 naïve.', tokens=18),
    E("1.12.1/chat-messages__chatflow-age-as-string", "09d2 cf47 e472 a69c",
       "Reply: You said: all (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages__chatflow-all-inputs", "4eb2 82dd 10d2 2a9e",
       "Reply: You said: all (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages__chatflow-empty", "fb37 5a5f 9d07 70eb",
       "Reply: \n(count 1)", nodes=5, tokens=18),
    E("1.12.1/chat-messages__chatflow-markdown", "3d01 21c9 55e3 08dc",
       'Reply: # Title\n\n```python\nprint("hi")\n```\n\n| a | b |\n|---|---|\n| 1 | 2 '
       "|\n\n$E=mc^2$\n(count 1)",
       nodes=5, tokens=18),
    E("1.12.1/chat-messages__chatflow-streaming-turn2", "b9b8 1ded 97d5 0373",
       "Reply: You said: Second question (messages=4) 你好 🎉 naïve.\n(count 2)", nodes=5, tokens=18),
    E("1.12.1/chat-messages__chatflow-streaming", "e757 1ded 5cec d4c9",
       'Reply: You said: Hello there 你好 "quote" <b> \\n (messages=2) 你好 🎉 naïve.\n(count 1)', nodes=5,
       tokens=18),
    E("1.12.1/chat-messages__chatflow-template", "2c38 02e4 1a89 6b5c",
       "Template says use template in Paris (1)", nodes=5, tokens=0),
    E("1.12.1/chat-messages__chatflow-turn2-other-inputs", "6229 a53a 3739 c1f0",
       "Reply: You said: Third (messages=7) 你好 🎉 naïve.\n(count 3)", nodes=5, tokens=18),
    # Start, route, list, the iteration, three rounds, answer. The middle round failed and the run went on.
    E("1.12.1/chat-messages__iterfail-continue-streaming", "978c 3f94 53a1 6ff3",
       "out=- /OK1\n- None\n- /OK2", nodes=8, rounds={"Iter a": 3}, node_status={"Inner": "failed"}, tokens=0),
    # All rounds are announced before the first begins; the inner runs come as 1, 2, 0.
    E("1.12.1/chat-messages__iterfail-parallel-streaming", "9ea2 f1e4 e243 994e",
       "out=- /OK1\n- /OK2", nodes=8, rounds={"Iter b": 3}, node_status={"Inner": "failed"}, tokens=0),
    E("1.12.1/chat-messages__iterfail-terminate-streaming", "59ac 29d2 9e2e c16c",
       "", status="failed", end="error", error_code="invalid_param", nodes=6, rounds={"Iter c": 2},
       node_status={"Iter c": "failed", "Inner": "failed"}),
    E("1.12.1/chat-messages__plain-chat-no-autoname", "a094 6380 4a4f -",
       "You said: no auto name (messages=1) 你好 🎉 naïve.", tokens=18),
    # Reasoning as <think>, followed by a line break that goes with it.
    E("1.12.1/chat-messages__plain-chat-think", "536d 3622 1946 -",
       "Hello after thinking.", reasoning="I should greet.", tokens=18),
    E("1.12.1/chat-messages__plain-chat-turn2-other-inputs", "19ed 9fcb 012e -",
       "You said: Third (messages=7) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/chat-messages__rag-chat-streaming", "65f1 d87f 35e1 -",
       "You said: What is the capital of Freedonia? (messages=2) 你好 🎉 naïve.", citations=2, tokens=18),
    # start, mk, iteration with three rounds, p1, p2, http, tool, two LLMs, loop with two rounds, answer = 16.
    # Text of one node comes in two parts around the node_finished of another.
    E("1.12.1/chat-messages__richflow-streaming", "d261 efb6 9568 6c43",
       "iter=- <a:0>\n- <b:1>\n- <c:2> p1=P1 capital of Freedonia p2=P2 capital of Freedonia "
       'http={"path": "/hello?q=1", "ok": true} tool=2026 A=You said: A capital of Freedonia '
       "(messages=2) 你好 🎉 naïve. B=You said: B capital of Freedonia (messages=2) 你好 🎉 naïve. "
       "loop=2",
       nodes=16, rounds={"Iteration": 3, "Loop": 2}, tokens=36),

    # 1.12.1/keepalive
    E("1.12.1/keepalive__chat-streaming", "9b9c e39a a2b4 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),

    # 1.12.1/messages-rich
    # The fail branch answered.
    E("1.12.1/messages-rich__continue-after-error-failflow-after", "944e 0aca a748 a40e",
       "failed branch: [Errno 111] Connection refused / HttpRequestNodeError",
       status="partial_succeeded", nodes=4, node_status={"HTTP Request": "exception"}, tokens=0),
    E("1.12.1/messages-rich__continue-after-error-failflow-plain", "618f bf8a 6c89 c085",
       "failed branch: [Errno 111] Connection refused / HttpRequestNodeError",
       status="partial_succeeded", nodes=4, node_status={"HTTP Request": "exception"}, tokens=0),
    E("1.12.1/messages-rich__seed-agent-chat-SPEAK", "2ed4 030d aff2 -",
       "Let me use a tool. The tool said: 2026-11-21. Done.", thoughts=2, tools=("current_time",),
       tokens=36),
    E("1.12.1/messages-rich__seed-basic-chat-hi", "0b25 8ebc be78 -",
       "You said: hi (messages=2) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/messages-rich__seed-chatflow-HTTP500", "bcdf f623 4658 fbfb",
       "Reply: ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"LLM": "failed"}),
    E("1.12.1/messages-rich__seed-chatflow-hi", "f946 a211 4857 1a98",
       "Reply: You said: hi (messages=2) 你好 🎉 naïve.\n(count 1)", nodes=5, tokens=18),
    E("1.12.1/messages-rich__seed-failflow-after", "8fa1 0aca 9a5d 164c",
       "Before the failure. ", status="failed", end="error", error_code="invalid_param", nodes=4,
       node_status={"HTTP Request": "failed"}),
    E("1.12.1/messages-rich__seed-plain-chat-HTTP500", "66ca 6360 - -",
       "", status="failed", end="error", error_code="completion_request_error"),

    # 1.12.1/nginx
    E("1.12.1/nginx__chat-streaming-keepalive", "6068 13ab fff8 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),
    E("1.12.1/nginx__chat-streaming", "e6c4 4ba1 7738 -",
       "You said: hi (messages=1) 你好 🎉 naïve.", tokens=18),

    # 1.16.1/chat-messages-disconnect
    # The recorder closed the socket. What ran then (the iteration, its first round's node) never told its end.
    E("1.16.1/chat-messages-disconnect__richflow-client-left", "045a c34e 6dae 3b24",
       "", status="incomplete", end="disconnected", nodes=4, rounds={"Each": 1},
       node_status={"Each": "unknown", "Round": "unknown"}, complete=False, pings=1),
    E("1.16.1/chat-messages-disconnect__slowflow-client-left", "db4d afc7 3cdc ec25",
       "Slow: " + words(8) + " ", status="incomplete", end="disconnected", nodes=2, node_status={"LLM": "unknown"},
       complete=False, pings=1),
    E("1.16.1/chat-messages-disconnect__slowflow-client-left-2", "bff0 f320 5aa6 2be6",
       "Slow: " + words(8) + " ", status="incomplete", end="disconnected", nodes=2, node_status={"LLM": "unknown"},
       complete=False, pings=1),

    # 1.16.1/chat-messages-errors
    # What older versions refuse with 400 is a run here that fails before its first node: no message, no conversation,
    # and the task has the run's id.
    E("1.16.1/chat-messages-errors__chatflow-empty-query", "- - c317 c317",
       "", status="failed", end="error", error_code="workflow_failed", pings=1),
    E("1.16.1/chat-messages-errors__fileflow-file-string", "- - 2feb 2feb",
       "", status="failed", end="error", error_code="workflow_failed", pings=1),
    E("1.16.1/chat-messages-errors__fileflow-flag-text", "03de bae0 3c60 caa5",
       "doc= n= flag=True js= must=m files=", nodes=2, tokens=0, pings=1),
    E("1.16.1/chat-messages-errors__fileflow-json-text", "- - 8348 8348",
       "", status="failed", end="error", error_code="workflow_failed", pings=1),
    E("1.16.1/chat-messages-errors__fileflow-must-long", "- - 2846 2846",
       "", status="failed", end="error", error_code="workflow_failed", pings=1),
    E("1.16.1/chat-messages-errors__fileflow-no-must", "- - 5bd5 5bd5",
       "", status="failed", end="error", error_code="workflow_failed", pings=1),
    E("1.16.1/chat-messages-errors__fileflow-null-must", "- - 3230 3230",
       "", status="failed", end="error", error_code="workflow_failed", pings=1),
    # A chat app does not look at workflow_id.
    E("1.16.1/chat-messages-errors__plain-chat-workflow-id-malformed", "1418 2f2a 887c -",
       "You said: x 你好 🎉 ok.", tokens=12),
    E("1.16.1/chat-messages-errors__plain-chat-workflow-id-unknown", "05a3 543c d675 -",
       "You said: x 你好 🎉 ok.", tokens=12),

    # 1.16.1/chat-messages-files
    E("1.16.1/chat-messages-files__basic-chat-file-local", "a03c e5c7 70ef -", words(4), files=1, tokens=13),
    # The answer has two links to one file; message_end and workflow_finished tell it twice each.
    E("1.16.1/chat-messages-files__fileflow-files", "508d ab53 8399 00f4",
       "doc=[a.txt](http://127.0.0.1:5016/files/f3ab9f7b-dfed-464e-94f5-a148833b0738/file-preview?timestamp=1795974597"
       "&nonce=0235fbb9d4b279a8305ea2d503de0aea&sign=OfUzdjfFHmwk2ph59yCW3bJhwiHmyioDcuQlnI4RA2k%3D) n=3 flag=True "
       'js={\n  "a": 1\n} must=m files=[a.txt](http://127.0.0.1:5016/files/f3ab9f7b-dfed-464e-94f5-a148833b0738/'
       "file-preview?timestamp=1795974597&nonce=b36d9b58eb1a7b752ee170726c2d86c5"
       "&sign=19K613zLH2FOMTz_Qrz7W59R6PSrM5_NCe4XTMuT4mo%3D)",
       nodes=2, files=1, tokens=0, pings=1),

    # 1.16.1/chat-messages-llm-errors
    # workflow_finished(failed) is the last event: the run's error is the turn's.
    E("1.16.1/chat-messages-llm-errors__chatflow-bad", "5fcf d414 80b2 ff8d",
       "", status="failed", end="error", error_code="workflow_failed", nodes=3, node_status={"LLM": "failed"}, pings=1),
    E("1.16.1/chat-messages-llm-errors__chatflow-conn", "e2db 0030 ebe2 af12",
       "", status="failed", end="error", error_code="workflow_failed", nodes=3, node_status={"LLM": "failed"}, pings=1),
    E("1.16.1/chat-messages-llm-errors__chatflow-other", "106a eca7 a219 2acd",
       "", status="failed", end="error", error_code="workflow_failed", nodes=3, node_status={"LLM": "failed"}, pings=1),
    E("1.16.1/chat-messages-llm-errors__chatflow-server", "134d 7829 a53b eae5",
       "", status="failed", end="error", error_code="workflow_failed", nodes=3, node_status={"LLM": "failed"}, pings=1),
    E("1.16.1/chat-messages-llm-errors__plain-chat-auth", "7eb0 49df - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    E("1.16.1/chat-messages-llm-errors__plain-chat-conn", "e2d1 1285 - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    E("1.16.1/chat-messages-llm-errors__plain-chat-other", "d5ef a5be - -",
       "", status="failed", end="error", error_code="invalid_param"),
    E("1.16.1/chat-messages-llm-errors__plain-chat-rate", "3eec fcba - -",
       "", status="failed", end="error", error_code="rate_limit_error"),
    E("1.16.1/chat-messages-llm-errors__plain-chat-server", "875d b9ff - -",
       "", status="failed", end="error", error_code="completion_request_error"),

    # 1.16.1/chat-messages-new-agent
    E("1.16.1/chat-messages-new-agent__roster-agent-fail", "3bdf 0d84 - -",
       "", status="failed", end="error", error_code="completion_request_error"),
    E("1.16.1/chat-messages-new-agent__roster-agent-limit", "aaf6 b120 - -",
       "", status="failed", end="error", error_code="agent_run_limit_exceeded"),
    # The closing message repeats what was streamed, without the blank at its end: that is the answer, once.
    E("1.16.1/chat-messages-new-agent__roster-agent-object-output", "8840 b29c dad4 -",
       "It is twelve. Done 你好.", thoughts=2, tokens=15),
    # What it said before the tool is no part of the stored answer: it stands with the step in which it was said.
    E("1.16.1/chat-messages-new-agent__roster-agent-tool", "e89c 19f9 9f92 -",
       "It is twelve. Done 你好.", thoughts=4, tools=("current_time",), said=("Let me look. ",), tokens=15),

    # 1.16.1/chat-messages-ping
    E("1.16.1/chat-messages-ping__chatflow-wait-12", "dfd2 7695 b840 462b", words(3), nodes=4, tokens=14, pings=2),

    # 1.16.1/chat-messages-stop
    # A stranger cannot stop a chat app's answer.
    E("1.16.1/chat-messages-stop__plain-chat-stopped-by-other", "52e2 508e b91b -", words(20), tokens=32),
    # A chatflow's can be stopped by anybody; nothing follows workflow_finished(stopped).
    E("1.16.1/chat-messages-stop__slowflow-stopped", "30be dfd8 1dc7 15a6",
       "Slow: " + words(2) + " ", status="stopped", end="stopped", nodes=2, node_status={"LLM": "stopped"}, pings=1),
    E("1.16.1/chat-messages-stop__slowflow-stopped-by-other", "a334 096f 9313 5928",
       "Slow: " + words(2) + " ", status="stopped", end="stopped", nodes=2, node_status={"LLM": "stopped"}, pings=1),

    # 1.16.1/chat-messages
    E("1.16.1/chat-messages__agent-chat-plain", "8e5f 5fe1 1084 -",
       "You said: plain 你好 🎉 ok.", thoughts=1, tokens=13),
    E("1.16.1/chat-messages__agentflow-time", "a368 04bf a26e 1602",
       "The agent node says it is twelve . ", logs=2, nodes=3, tokens=12, pings=1),
    E("1.16.1/chat-messages__basic-chat-md", "337a 7989 07ff -",
       "# Title\n\nA table:\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n```python\nprint('hi')\n```\n\n"
       "Inline $x^2$ and **bold**.\n", tokens=33),
    E("1.16.1/chat-messages__basic-chat-second", "e69c 191e 2546 -", words(3), tokens=21),
    # Two people are asked at once.
    E("1.16.1/chat-messages__brancha-go", "846d 3ba3 f845 c113",
       "", status="paused", end="paused", nodes=3, node_status={"Left person": "paused", "Right person": "paused"},
       forms=("waiting", "waiting"), pings=1),
    E("1.16.1/chat-messages__chatflow-words-8-hi", "8418 b091 c88d 93f8", words(8), nodes=4, tokens=17, pings=1),
    # The text of the node that failed had been told up to where it stands.
    E("1.16.1/chat-messages__failflow-go", "a2a7 b63f 7917 09e4",
       "Before: " + words(4) + "\nAfter ", status="failed", end="error", error_code="workflow_failed", nodes=4,
       node_status={"Boom": "failed"}, pings=1),
    E("1.16.1/chat-messages__humanflow-pause", "b25e df83 82e4 994f",
       "Draft: " + words(4) + "\n", status="paused", end="paused", nodes=4, node_status={"Ask a person": "paused"},
       forms=("waiting",), pings=1),
    E("1.16.1/chat-messages__humanflow-pause-3", "38ee 1b25 730a b007",
       "Draft: " + words(4) + "\n", status="paused", end="paused", nodes=4, node_status={"Ask a person": "paused"},
       forms=("waiting",), pings=1),
    E("1.16.1/chat-messages__humanflow-pause-4", "c8f8 8685 d6c7 ffb6",
       "Draft: " + words(4) + "\n", status="paused", end="paused", nodes=4, node_status={"Ask a person": "paused"},
       forms=("waiting",), pings=1),
    # Another question in the conversation of a run that waits is another run, which waits too.
    E("1.16.1/chat-messages__humanflow-second-while-paused", "3616 197b 84e9 ba26",
       "Draft: " + words(4) + "\n", status="paused", end="paused", nodes=4, node_status={"Ask a person": "paused"},
       forms=("waiting",), pings=1),
    # Three rounds, and loop_next comes between them: twice.
    E("1.16.1/chat-messages__loopall-go", "7ccc fb87 a621 a4b9", "i=3", nodes=6, rounds={"Count": 3}, tokens=0, pings=1),
    # The question was blocked: the answer comes in the app's own words, as any other.
    E("1.16.1/chat-messages__mod-chat-a-secret", "ba93 98f7 b0da -", "Not that question.", tokens=0),
    # A chat app tells the moderated text with an empty reason, as a run's state so far is told; it is moderated.
    E("1.16.1/chat-messages__mod-chat-words-14", "6aad 4a88 515a -", "Not that answer.", tokens=22, replaced=True),
    E("1.16.1/chat-messages__modflow-fine", "af84 082c 68ea da76",
       "You said: fine 你好 🎉 ok.", nodes=3, tokens=12, pings=1),
    # The run's outputs have the text that nobody may see.
    E("1.16.1/chat-messages__modflow-words-12", "fb0c a5a5 f7d5 3152",
       "Not that answer.", nodes=3, tokens=20, replaced=True, pings=1),
    E("1.16.1/chat-messages__multianswer-go", "9274 5682 e3ad 79f5",
       "First: " + words(5) + "\nSecond: " + words(5) + " done", nodes=5, tokens=29, pings=1),
    # Two rounds at a time.
    E("1.16.1/chat-messages__paraflow-go", "dc32 e8cb bae3 74cb",
       "\n".join(["- " + words(4)] * 4), nodes=8, rounds={"Parallel": 4}, tokens=48, pings=1),
    E("1.16.1/chat-messages__plain-chat-accept-gzip", "f2f5 c2fa 22d8 -", words(30), tokens=38),
    # Start, split, iteration with three rounds, loop with two (of three: it breaks off), left, right, branch, two
    # LLMs, answer. loop_completed says `steps` 3 all the same.
    E("1.16.1/chat-messages__richflow-please-words-5", "bf15 103a a95f b939",
       "Items: - item one #0\n- item two #1\n- item three #2\nLoop: 2\nLeft left, right " + words(6) + "\n\n"
       + words(12) + "\nEnd.", nodes=15, rounds={"Each": 3, "Count": 2}, tokens=40, pings=1),
    E("1.16.1/chat-messages__richflow-short-one", "c0f9 55a6 154c dfd7",
       "Short: left", nodes=14, rounds={"Each": 3, "Count": 2}, tokens=15, pings=1),
    # message_end tells the reasoning again, by node and without the blanks around it.
    E("1.16.1/chat-messages__thinkflow-hi", "9209 95cc 42f1 43d4",
       "Reply: You said: hi 你好 🎉 ok.", reasoning="First I think.\nThen I think more.", nodes=3, tokens=23, pings=1),
    E("1.16.1/chat-messages__tts-chat-words-6", "bc40 e595 407d -", words(6), tokens=14, audio_chunks=3),
    # A chatflow's speech does not come any more: the server has closed before it.
    E("1.16.1/chat-messages__ttsflow-words-6", "c801 9341 772d 285e", words(6), nodes=3, tokens=14, pings=1),
    E("1.16.1/chat-messages__twohumans-pause", "7170 115e 5c72 bebe",
       "", status="paused", end="paused", nodes=2, node_status={"First": "paused"}, forms=("waiting",), pings=1),

    # 1.16.1/workflow-events
    # The state of a run so far, told later: the text comes as message_replace, and nothing was moderated. The left
    # form was answered before, and is not told.
    E("1.16.1/workflow-events__brancha-after-one", "59ba e174 8118 4cc0",
       "L", status="paused", end="paused", nodes=4, node_status={"Right person": "paused"}, forms=("waiting",), pings=1),
    # A run that is over tells its own end and nothing else: no message, and no text that moderation has seen.
    E("1.16.1/workflow-events__humanflow-finished", "- - 994f 994f", "", end="eof"),
    E("1.16.1/workflow-events__humanflow-rejected", "- - c64d c64d", "", end="eof"),
    # Without a state: only what came after the form was answered, of which therefore nothing is known.
    E("1.16.1/workflow-events__humanflow-resumed-plain", "b25e df83 82e4 994f",
       "Approved with a <b> note y: " + words(5), nodes=3, tokens=29, pings=30),
    # The state of a paused run, its pause, and how it went on.
    E("1.16.1/workflow-events__humanflow-resumed-snapshot", "b25e df83 82e4 994f",
       "Draft: " + words(4) + "\nApproved with a <b> note y: " + words(5), nodes=6, tokens=29, forms=("filled",), pings=1),
    # To stop a run that waits changes nothing: it still waits.
    E("1.16.1/workflow-events__humanflow-stopped-while-paused", "c8f8 8685 d6c7 ffb6",
       "Draft: " + words(4) + "\n", status="paused", end="paused", nodes=4, node_status={"Ask a person": "paused"},
       forms=("waiting",), pings=1),
    # Only what was still to come.
    E("1.16.1/workflow-events__slowflow-rejoin-plain", "bff0 f320 5aa6 2be6",
       words(40).partition(" word11 ")[2], nodes=2, tokens=55, pings=2),
    # The state has no text yet, and the run's id where the task's belongs; what is live has the task's own.
    E("1.16.1/workflow-events__slowflow-rejoin-snapshot", "db4d afc7 3cdc ec25",
       words(40).partition(" word11 ")[2], nodes=3, tokens=53, pings=1),

    *RUNS,
    *COMPLETIONS,
]

EXPECTED: dict[str, Expected] = {row.case: row for row in TABLE}
