"""What the tables of the recorded lists hold, counted and read by a person in the recordings.

Totals are of all recorded pages of a group; the same item may lie on several pages (the export was fetched
with limit 20 and with limit 100), so how many different ones there are stands beside. Rows show how Dify
writes things: the case, the table and the row's place on the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Totals:
    """What a group of recordings holds."""

    exchanges: int
    rows: dict[str, int]
    """Rows of each table, and different ones by the table's first column."""
    words: dict[str, int]
    """Messages by status and rating, thoughts by tool, messages with reasoning and without an answer."""
    first: str
    """The earliest created_at of 2026-11-21, for 1.16.1 of 2026-11-29."""
    last: str


TOTALS: dict[str, Totals] = {
    "0.15.3/chat-messages-crash messages.list": Totals(
        1,
        {"messages": 3, "different messages": 3},
        {"normal": 3}, "09:33:38", "09:33:38"),
    "0.15.3/conversations conversations.list": Totals(
        24,
        {"conversations": 128, "different conversations": 75},
        {}, "09:05:40", "09:23:44"),
    "0.15.3/feedbacks messages.list": Totals(
        1,
        {"messages": 1, "different messages": 1},
        {"normal": 1, "dislike": 1}, "09:10:40", "09:10:40"),
    "0.15.3/messages-paging messages.list": Totals(
        4,
        {"messages": 48, "different messages": 27},
        {"normal": 48}, "09:13:25", "09:13:56"),
    "0.15.3/messages-rich messages.list": Totals(
        12,
        {"messages": 16, "different messages": 12, "thoughts": 2, "different thoughts": 2},
        {"error": 9, "normal": 7, "tool eval_expression": 1, "no answer": 9}, "09:10:32", "09:10:38"),
    "0.15.3/messages-rich conversations.list": Totals(
        4,
        {"conversations": 4, "different conversations": 4},
        {}, "09:10:36", "09:10:38"),
    "0.15.3/messages messages.list": Totals(
        29,
        {"messages": 122, "different messages": 49, "thoughts": 2, "different thoughts": 2, "citations": 2, "different citations": 1, "files": 6, "different files": 6},
        {"normal": 120, "error": 2, "no answer": 9}, "09:06:56", "09:34:19"),
    "1.12.1/annotations annotations.list": Totals(
        10,
        {"annotations": 18, "different annotations": 6},
        {}, "09:16:19", "09:16:27"),
    "1.12.1/app-feedbacks app.feedbacks": Totals(
        5,  # one is of a workflow app, which has none
        {"feedbacks": 4, "different feedbacks": 2},
        {}, "09:15:48", "09:15:50"),
    "1.12.1/chat-messages-crash messages.list": Totals(
        1,
        {"messages": 3, "different messages": 3},
        {"normal": 3}, "09:32:39", "09:32:41"),
    "1.12.1/conversation-variables conversations.variables": Totals(
        5,
        {"variables": 9, "different variables": 1},
        {}, "09:15:56", "09:15:56"),
    "1.12.1/conversations conversations.list": Totals(
        18,
        {"conversations": 119, "different conversations": 86},
        {}, "09:08:58", "09:22:14"),
    "1.12.1/delete conversations.list": Totals(
        1,
        {},
        {}, "", ""),
    "1.12.1/feedbacks messages.list": Totals(
        2,
        {"messages": 2, "different messages": 2},
        {"normal": 2, "dislike": 2}, "09:15:46", "09:15:48"),
    "1.12.1/history-export conversations.list": Totals(
        34,
        {"conversations": 870, "different conversations": 189},
        {}, "10:17:22", "10:30:30"),
    "1.12.1/history-export messages.list": Totals(
        380,
        {"messages": 1386, "different messages": 693, "thoughts": 956, "different thoughts": 478, "files": 72, "different files": 36},
        {"normal": 1308, "error": 78, "like": 348, "dislike": 182, "tool current_time": 454, "reasoning": 18, "no answer": 126}, "10:17:22", "10:30:36"),
    "1.12.1/messages-paging messages.list": Totals(
        4,
        {"messages": 52, "different messages": 26},
        {"normal": 52}, "09:17:01", "09:17:48"),
    "1.12.1/messages-rich conversations.list": Totals(
        8,
        {"conversations": 8, "different conversations": 8},
        {}, "09:15:31", "09:15:44"),
    "1.12.1/messages-rich messages.list": Totals(
        7,
        {"messages": 10, "different messages": 9, "thoughts": 2, "different thoughts": 2},
        {"normal": 5, "error": 5, "tool current_time": 1, "no answer": 5}, "09:15:31", "09:15:44"),
    "1.12.1/messages messages.list": Totals(
        28,
        {"messages": 110, "different messages": 45, "thoughts": 6, "different thoughts": 5, "citations": 2, "different citations": 1, "files": 2, "different files": 2},
        {"normal": 110, "tool current_time": 1, "no answer": 6}, "09:11:39", "09:28:40"),
    "1.16.1/annotations annotations.list": Totals(
        1,
        {"annotations": 1, "different annotations": 1},
        {}, "17:50:02", "17:50:02"),
    "1.16.1/app-feedbacks app.feedbacks": Totals(
        1,
        {"feedbacks": 1, "different feedbacks": 1},
        {}, "17:49:53", "17:49:53"),
    "1.16.1/conversation-variables conversations.variables": Totals(
        3,
        {"variables": 8, "different variables": 1},
        {}, "17:41:32", "17:41:32"),
    "1.16.1/conversations conversations.list": Totals(
        6,
        {"conversations": 6, "different conversations": 5},
        {}, "17:41:31", "18:08:22"),
    "1.16.1/messages messages.list": Totals(
        19,
        {"messages": 19, "different messages": 19, "thoughts": 8, "different thoughts": 8, "files": 4, "different files": 2, "forms": 2, "different forms": 2},
        {"normal": 17, "error": 1, "paused": 1, "tool current_time": 2, "no answer": 3}, "17:41:31", "18:04:37"),
    "1.16.1/new-agent conversations.list": Totals(
        1,
        {},
        {}, "", ""),
}

ROWS: dict[tuple[str, str, int], dict[str, Any]] = {
    # One call: input and output are keyed by the tool.
    ("0.15.3/messages-rich__agent-chat-SPEAK-messages", "thoughts", 0): {
        "thought_id": "863cae4a-c8f3-4a34-9b12-7196bd5c7c97",
        "call": 0,
        "message_id": "8d058ae4-846b-4ac6-bca1-4be89601472c",
        "conversation_id": "de0b4b10-09f5-47a8-95f4-4e0f84bafe16",
        "user": "me",
        "position": 1,
        "tool": "eval_expression",
        "tool_label": "Evaluate Math Expression",
        "created_at": "2026-11-21T09:10:32+00:00",
        "thought": "Let me use a tool. ",
        "input": "{\"expression\":\"6*7\"}",
        "output": "The result of the expression \"6*7\" is 42",
        "tools_raw": "eval_expression",
        "input_raw": "{\"eval_expression\": {\"expression\": \"6*7\"}}",
        "output_raw": "{\"eval_expression\": \"The result of the expression \\\"6*7\\\" is 42\"}",
    },
    # A ReAct agent's last step: no tool, and an input that is not for one.
    ("0.15.3/messages__agent-cot-notool", "thoughts", 0): {
        "thought_id": "c8c4c97d-31c7-4560-a71e-d2a85f9e356d",
        "call": 0,
        "message_id": "04fa81cf-bada-4ed4-a769-3bf1db06b05c",
        "conversation_id": "dcac9b2a-5018-4c78-a1bc-960814d3d344",
        "user": "me",
        "position": 1,
        "created_at": "2026-11-21T09:22:49+00:00",
        "thought": "Hi there, plain.",
        "input_raw": "{\"Final Answer\": \"Hi there, plain.\"}",
    },
    # What a New Agent app said before it called a tool, apart from what it thought.
    ("1.16.1/messages__roster-agent-tool", "thoughts", 1): {
        "thought_id": "c94df69e-981d-4b4a-b640-547be3f503e3",
        "call": 0,
        "message_id": "e89c6b7b-48d5-4f9a-8db4-e2d2b8789d0d",
        "conversation_id": "19f90fb3-f216-4684-acca-67130c33f443",
        "user": "me",
        "position": 2,
        "created_at": "2026-11-29T18:03:09+00:00",
        "thought": "",
        "answer": "Let me look. ",
    },
    # A run that waits: the text and the tokens until then.
    ("1.16.1/messages__humanflow-paused", "messages", 0): {
        "message_id": "b25e4975-4044-4ecd-8672-9806d16d8935",
        "conversation_id": "df83857c-0b9d-4a2f-bf78-eb9f811c7997",
        "user": "me",
        "created_at": "2026-11-29T17:42:57+00:00",
        "status": "paused",
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "total_tokens": 13,
        "total_price": 0.000017,
        "currency": "USD",
        "latency": 1.6978477120001116,
        "usage_from": "server",
        "query": "may I",
        "answer": "Draft: word0 word1 word2 word3\n",
        "inputs": "{}",
    },
    # What failed was not counted, and that is told as 0.
    ("1.16.1/messages__failflow-default", "messages", 0): {
        "message_id": "a2a79652-c7df-440a-8e68-e4bc4a19cdda",
        "conversation_id": "b63f8157-0915-42a9-a9c4-6db7f72c1f88",
        "user": "me",
        "created_at": "2026-11-29T17:41:44+00:00",
        "status": "error",
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "total_price": 0.0,
        "currency": "USD",
        "latency": 0.0,
        "usage_from": "server",
        "error": "Run failed: Traceback (most recent call last):\n  File \"<string>\", line 12, in <module>\n"
                 "  File \"<string>\", line 3, in main\nValueError: boom <b>\n",
        "query": "go",
        "answer": "",
        "inputs": "{}",
    },
    ("1.16.1/messages__humanflow-rejected", "forms", 0): {
        "message_id": "2103ba00-06e4-4585-9a4e-091cb0ccc360",
        "conversation_id": "4db0bccf-14bb-41c7-80fa-03632b567087",
        "user": "me",
        "workflow_run_id": "c64d8a92-bb6d-4811-82b2-8b348e6aadbe",
        "form_id": "80f0ca27-4609-468a-ac2b-2d18c6188885",
        "node_id": "ask",
        "node_title": "Ask a person",
        "status": "filled",
        "submitted": True,
        "action_id": "reject",
        "action_text": "Reject",
        "expires_at": "2026-11-29T19:04:37+00:00",
        "content": "# Please check\n\nQuestion: reject me\n\nNote: {{#$output.note#}}\n\nKind: {{#$output.kind#}}",
        "rendered_content": "# Please check\n\nQuestion: reject me\n\nNote: n\n\nKind: x",
        "inputs": '{"note":"n","kind":"x"}',
        "definition": '{"form_id":"80f0ca27-4609-468a-ac2b-2d18c6188885","node_id":"ask","node_title":"Ask a person",'
                      '"form_content":"# Please check\\n\\nQuestion: reject me\\n\\nNote: {{#$output.note#}}\\n\\n'
                      'Kind: {{#$output.kind#}}","inputs":[{"output_variable_name":"note","type":"paragraph",'
                      '"default":{"type":"constant","selector":[],"value":"my note"}},{"output_variable_name":"kind",'
                      '"type":"select","option_source":{"type":"constant","selector":[],"value":["x","y"]}}],'
                      '"actions":[{"id":"approve","title":"Approve","button_style":"primary"},{"id":"reject",'
                      '"title":"Reject","button_style":"default"}],"display_in_ui":true,"resolved_default_values":{},'
                      '"expiration_time":1795979077}',
    },
    # A thought whose answer never came.
    ("1.12.1/history-export__agent-chat-en-messages-limit100-conv000-page1", "thoughts", 0): {
        "thought_id": "5fd9aaaa-a5b2-4b99-955d-e64ae86b4d6e",
        "call": 0,
        "message_id": "e175b66d-13d1-478d-af6a-5ea4d1aabd53",
        "conversation_id": "b788f6f8-2a33-477c-90f9-dcd32073c37a",
        "user": "me",
        "position": 1,
        "created_at": "2026-11-21T10:30:30+00:00",
        "thought": "",
    },
    # Dify 0.15 counts no hits.
    ("0.15.3/messages__rag-chat", "citations", 0): {
        "message_id": "448022fe-eb1b-4050-b581-56edfb26fd63",
        "conversation_id": "e6431ea3-9bde-4906-8c52-294bcaa335c0",
        "user": "me",
        "position": 1,
        "score": 0.0,
        "dataset_id": "463e0eef-f30c-4c74-8e82-e3eb01285209",
        "dataset_name": "Freedonia facts",
        "document_id": "b439f363-3ecc-43cd-8f0f-a767d53ce30d",
        "document_name": "freedonia.txt",
        "segment_id": "b9f013dc-2efe-4c6d-9368-d290604c828c",
        "segment_position": 0,
        "hit_count": 0,
        "word_count": 0,
        "data_source_type": "upload_file",
        "content": "The capital of Freedonia is Fredville. Freedonia is a small country known for its capital Fredville and its music.",
    },
    ("1.12.1/messages__ragflow", "citations", 0): {
        "message_id": "90f72339-148d-4ab3-9492-e0ba1b471a1f",
        "conversation_id": "333e6d0f-56b3-4e9b-9118-85ccb1d013e0",
        "user": "me",
        "position": 1,
        "score": 0.44943641652398203,
        "dataset_id": "8ba6102d-4a80-4dda-9586-40463b9c7029",
        "dataset_name": "Freedonia facts",
        "document_id": "c573f4f3-ed20-4ab6-bb76-9a4eec12524d",
        "document_name": "sylvania.txt",
        "segment_id": "be812474-d1f1-4a26-9318-2c05e218ddf1",
        "segment_position": 1,
        "hit_count": 3,
        "word_count": 79,
        "data_source_type": "upload_file",
        "content": "Sylvania is the neighbour of Freedonia. The capital of Sylvania is Sylvan City.",
    },
    # The upload's id is not told, and the address is signed.
    ("0.15.3/messages__basic-chat-with-local-file-blocking", "files", 0): {
        "message_id": "e445b5e4-ea74-4e75-ba72-041eea475a8d",
        "conversation_id": "19c7019c-f991-4a89-9957-a6ad2ca3fcea",
        "user": "me",
        "file_id": "940fa605-c0a6-4b35-a647-0f78d1200240",
        "type": "image",
        "belongs_to": "user",
        "transfer_method": "local_file",
        "name": "red dot 你.png",
        "mime_type": "image/png",
        "size": 73,
        "url": "http://127.0.0.1:5001/files/e71a9eee-6d1b-4a2c-90be-2693790acd03/file-preview",
    },
    # The server does not know the size of a remote file.
    ("0.15.3/messages__basic-chat-with-remote-file", "files", 0): {
        "message_id": "9be36157-33b2-4d05-94ea-84b9dee555f2",
        "conversation_id": "b72939e8-f236-4ac9-8983-6ea9a71a4b46",
        "user": "me",
        "file_id": "96a5f9a4-ac8c-4f5b-bb9c-01eb77820ecd",
        "type": "image",
        "belongs_to": "user",
        "transfer_method": "remote_url",
        "name": "x.png",
        "mime_type": "image/png",
        "url": "http://127.0.0.1:5001/x.png",
    },
    # Dify 1.12 tells the upload's id.
    ("1.12.1/history-export__agent-chat-en-messages-limit100-conv008-page1", "files", 0): {
        "message_id": "27d9a0d0-e09b-4d02-b89b-7a37f289a9ef",
        "conversation_id": "ceb74529-a3ea-45ed-9d96-248dbe2b377d",
        "user": "me",
        "file_id": "26bbf0cf-0dd9-4691-a42a-67d89a6bb3fb",
        "upload_file_id": "3b773a9f-103c-4047-ab06-3aea1ec69cf2",
        "type": "image",
        "belongs_to": "user",
        "transfer_method": "local_file",
        "name": "shot.png",
        "mime_type": "image/png",
        "size": 73,
        "url": "http://127.0.0.1:5002/files/3b773a9f-103c-4047-ab06-3aea1ec69cf2/file-preview",
    },
    # A file among the inputs: its address loses what signs it.
    ("1.12.1/messages__chatflow-with-file-variable", "messages", 0): {
        "message_id": "5fd6244c-25b7-454f-bb6f-01ab661f7f83",
        "conversation_id": "01dbf24e-0be3-45b2-b489-925cd2e43121",
        "user": "me",
        "created_at": "2026-11-21T09:11:46+00:00",
        "status": "normal",
        "query": "describe",
        "answer": "Reply: You said: describe (messages=2) 你好 🎉 naïve.\n(count 1)",
        "inputs": "{\"city\":\"Paris\",\"bio\":null,\"tone\":null,\"age\":null,\"doc\":{\"dify_model_identity\":\"__dify__file__\",\"id\":null,\"tenant_id\":\"3e2f985e-02c6-4047-8684-094c9e0fa3c9\",\"type\":\"image\",\"transfer_method\":\"local_file\",\"remote_url\":\"http://127.0.0.1:5002/files/318697a1-61b6-450e-aa6f-e2815a9d75cd/file-preview?timestamp=1795252298&nonce=-&sign=-\",\"related_id\":\"318697a1-61b6-450e-aa6f-e2815a9d75cd\",\"filename\":\"red dot 你.png\",\"extension\":\".png\",\"mime_type\":\"image/png\",\"size\":73}}",
    },
    # Reasoning in the middle of an answer.
    ("1.12.1/history-export__chatflow-en-messages-limit100-conv007-page1", "messages", 3): {
        "message_id": "001d2b03-d60a-4550-905c-0ff9f8752f2b",
        "conversation_id": "6e5d57c4-c104-412f-95eb-36720eeb3c1d",
        "user": "me",
        "created_at": "2026-11-21T10:19:41+00:00",
        "status": "normal",
        "query": "THINK about it",
        "answer": "Reply: Hello after thinking.\n(count 4)",
        "reasoning": "I should greet.",
        "inputs": "{\"city\":\"Paris\",\"bio\":null,\"tone\":null,\"age\":null,\"doc\":null}",
    },
    ("1.12.1/conversations__chatflow-with-file-variable", "conversations", 0): {
        "conversation_id": "01dbf24e-0be3-45b2-b489-925cd2e43121",
        "user": "me",
        "created_at": "2026-11-21T09:11:46+00:00",
        "updated_at": "2026-11-21T09:11:47+00:00",
        "status": "normal",
        "name": "Stub chat title 🤖",
        "introduction": "Hello Paris! I am a chatflow.",
        "inputs": "{\"city\":\"Paris\",\"bio\":null,\"tone\":null,\"age\":null,\"doc\":{\"dify_model_identity\":\"__dify__file__\",\"id\":null,\"tenant_id\":\"3e2f985e-02c6-4047-8684-094c9e0fa3c9\",\"type\":\"image\",\"transfer_method\":\"local_file\",\"remote_url\":\"http://127.0.0.1:5002/files/318697a1-61b6-450e-aa6f-e2815a9d75cd/file-preview?timestamp=1795252298&nonce=-&sign=-\",\"related_id\":\"318697a1-61b6-450e-aa6f-e2815a9d75cd\",\"filename\":\"red dot 你.png\",\"extension\":\".png\",\"mime_type\":\"image/png\",\"size\":73}}",
    },
    ("1.12.1/conversation-variables__chatflow-ok", "variables", 0): {
        "conversation_id": "c",
        "user": "me",
        "variable_id": "a1f2c3d4-0000-4000-8000-000000000001",
        "name": "counter",
        "value_type": "number",
        "created_at": "2026-11-21T09:15:56+00:00",
        "updated_at": "2026-11-21T09:15:57+00:00",
        "value": "2",
        "value_raw": "2",
        "description": "turn counter",
    },
    ("1.12.1/conversation-variables__chatflow-ok", "variables", 1): {
        "conversation_id": "c",
        "user": "me",
        "variable_id": "a1f2c3d4-0000-4000-8000-000000000002",
        "name": "last_q",
        "value_type": "string",
        "created_at": "2026-11-21T09:15:56+00:00",
        "updated_at": "2026-11-21T09:15:57+00:00",
        "value": "\"again\"",
        "value_raw": "again",
        "description": "last query",
    },
    # A list as Python writes it.
    ("1.12.1/conversation-variables__chatflow-ok", "variables", 2): {
        "conversation_id": "c",
        "user": "me",
        "variable_id": "a1f2c3d4-0000-4000-8000-000000000003",
        "name": "history",
        "value_type": "array[string]",
        "created_at": "2026-11-21T09:15:56+00:00",
        "updated_at": "2026-11-21T09:15:57+00:00",
        "value": "[\"vars please\",\"again\"]",
        "value_raw": "['vars please', 'again']",
        "description": "list",
    },
    # Set before the row of the variable was stored, by the server's own clock.
    ("1.12.1/conversation-variables__chatflow-ok", "variables", 3): {
        "conversation_id": "c",
        "user": "me",
        "variable_id": "a1f2c3d4-0000-4000-8000-000000000004",
        "name": "profile",
        "value_type": "object",
        "created_at": "2026-11-21T09:15:56+00:00",
        "updated_at": "2026-11-21T09:15:55+00:00",
        "value": "{\"k\":\"v\"}",
        "value_raw": "{'k': 'v'}",
        "description": "obj",
    },
    # Times without a zone are UTC.
    ("1.12.1/app-feedbacks__basic-chat-default", "feedbacks", 0): {
        "feedback_id": "574ddc32-7710-4cee-a0c1-44680c36d715",
        "message_id": "8684e7a9-0357-48fe-8b02-f33dd5fae04b",
        "conversation_id": "02bedc94-dfeb-43dd-8c5c-56cfefcccaf0",
        "rating": "like",
        "from_source": "user",
        "end_user_id": "a165c564-6408-4dbe-9b3b-eef591cba861",
        "created_at": "2026-11-21T09:15:48+00:00",
        "updated_at": "2026-11-21T09:15:48+00:00",
        "content": "final",
    },
    # Both are empty, and not missing.
    ("1.12.1/annotations__basic-chat-list", "annotations", 0): {
        "annotation_id": "d164f1bb-4467-4cbf-a5b8-275108d0dc96",
        "created_at": "2026-11-21T09:16:20+00:00",
        "hit_count": 0,
        "question": "",
        "answer": "",
    },
    ("1.12.1/annotations__basic-chat-list", "annotations", 1): {
        "annotation_id": "4759499a-3128-4a46-90c2-57167c3796f8",
        "created_at": "2026-11-21T09:16:19+00:00",
        "hit_count": 0,
        "question": "What is Dify? 你好",
        "answer": "An app platform",
    },
    ("0.15.3/feedbacks__chatflow-messages-after-dislike", "messages", 0): {
        "message_id": "09d12aac-8082-472a-a865-a8ac89b28370",
        "conversation_id": "a7f7fdb4-276b-4442-8f3a-9e2106641483",
        "user": "me",
        "created_at": "2026-11-21T09:10:40+00:00",
        "status": "normal",
        "rating": "dislike",
        "query": "suggest me",
        "answer": "Reply: You said: suggest me (messages=2) 你好 🎉 naïve.\n(count 1)",
        "inputs": "{\"city\":\"Paris\",\"bio\":null,\"tone\":null,\"age\":null,\"doc\":null}",
    },
    ("0.15.3/messages-rich__chatflow-HTTP500-messages", "messages", 0): {
        "message_id": "e162a530-12c6-48de-af5c-44d44e1a5823",
        "conversation_id": "55907e46-6bdc-4a4e-b318-4a6a67cf5aa3",
        "user": "me",
        "created_at": "2026-11-21T09:10:38+00:00",
        "status": "error",
        "error": "Run failed: [openai_api_compatible] Error: API request failed with status code 500: {\"error\": {\"message\": \"stub error 500\", \"type\": \"stub_error\", \"code\": \"stub\"}}",
        "query": "HTTP500",
        "answer": "",
        "inputs": "{\"city\":\"Paris\",\"bio\":null,\"tone\":null,\"age\":null,\"doc\":null}",
    },
}
