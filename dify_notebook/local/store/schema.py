"""The tables of the store, one script for each version; `PRAGMA user_version` says how far a file is.

A script that was released is never changed: what comes later goes into a new one at the end.
"""

from __future__ import annotations

import sqlite3

SCRIPTS = (
    """
    CREATE TABLE end_users (
        id TEXT PRIMARY KEY, app TEXT NOT NULL, session TEXT NOT NULL, created_at INTEGER NOT NULL,
        UNIQUE (app, session)
    );
    CREATE TABLE conversations (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, app TEXT NOT NULL, end_user TEXT NOT NULL REFERENCES end_users (id),
        name TEXT NOT NULL, inputs TEXT NOT NULL, introduction TEXT NOT NULL,
        created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        touched INTEGER NOT NULL,          -- grows with every change: orders what the second cannot
        dialogue_count INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX conversations_by_user ON conversations (app, end_user, touched);
    CREATE TABLE messages (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        query TEXT NOT NULL, inputs TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL,               -- running, done, stopped, failed, interrupted, abandoned
        error TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        usage TEXT, resources TEXT NOT NULL DEFAULT '[]',
        workflow_run TEXT                  -- JSON: what workflow_finished said
    );
    CREATE INDEX messages_by_conversation ON messages (conversation, seq);
    CREATE TABLE thoughts (
        id TEXT PRIMARY KEY, message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        position INTEGER NOT NULL, thought TEXT NOT NULL, tool TEXT NOT NULL, tool_labels TEXT NOT NULL,
        tool_input TEXT NOT NULL, observation TEXT NOT NULL, created_at INTEGER NOT NULL
    );
    CREATE INDEX thoughts_by_message ON thoughts (message, position);
    CREATE TABLE node_runs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        id TEXT NOT NULL, node_id TEXT NOT NULL, node_type TEXT NOT NULL, status TEXT NOT NULL,
        elapsed REAL NOT NULL, data TEXT NOT NULL
    );
    CREATE INDEX node_runs_by_message ON node_runs (message, seq);
    CREATE TABLE files (
        id TEXT PRIMARY KEY, app TEXT NOT NULL, end_user TEXT NOT NULL REFERENCES end_users (id),
        name TEXT NOT NULL, extension TEXT NOT NULL, mime_type TEXT NOT NULL, size INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    );
    CREATE TABLE message_files (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        file TEXT REFERENCES files (id), type TEXT NOT NULL, transfer_method TEXT NOT NULL,
        belongs_to TEXT NOT NULL, url TEXT
    );
    CREATE INDEX message_files_by_message ON message_files (message, seq);
    CREATE TABLE feedbacks (
        message TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE, end_user TEXT NOT NULL,
        rating TEXT NOT NULL, content TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL
    );
    CREATE TABLE variables (
        conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        id TEXT NOT NULL, name TEXT NOT NULL, value_type TEXT NOT NULL, value TEXT NOT NULL,
        description TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
        PRIMARY KEY (conversation, id)
    );
    """,
    """
    CREATE TABLE annotations (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, app TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
        hit_count INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL
    );
    CREATE INDEX annotations_by_app ON annotations (app, seq);
    CREATE TABLE annotation_replies (
        app TEXT PRIMARY KEY, id TEXT NOT NULL, enabled INTEGER NOT NULL, score_threshold REAL NOT NULL,
        provider TEXT NOT NULL, model TEXT NOT NULL
    );
    CREATE TABLE annotation_jobs (
        id TEXT PRIMARY KEY, app TEXT NOT NULL, action TEXT NOT NULL, created_at INTEGER NOT NULL
    );
    ALTER TABLE messages ADD COLUMN annotation TEXT;
    CREATE INDEX message_files_by_file ON message_files (file);
    """,
    """
    CREATE INDEX conversations_by_touch ON conversations (touched);
    """,
    """
    CREATE TABLE forms (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        token_hash TEXT NOT NULL UNIQUE,   -- SHA-256: whoever reads this file cannot submit
        node TEXT NOT NULL, definition TEXT NOT NULL,
        status TEXT NOT NULL,              -- waiting, submitted, timeout
        resumed INTEGER NOT NULL DEFAULT 0, -- whether its run has gone on with it
        expires_at REAL NOT NULL, action TEXT, inputs TEXT
    );
    CREATE INDEX forms_by_message ON forms (message, seq);
    CREATE INDEX forms_waiting ON forms (expires_at) WHERE status = 'waiting';
    CREATE INDEX forms_ready ON forms (message) WHERE resumed = 0 AND status <> 'waiting';
    CREATE TABLE paused_runs (
        message TEXT PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
        state TEXT NOT NULL                -- JSON: all that is needed to go on
    );
    CREATE INDEX messages_by_workflow_run ON messages (json_extract(workflow_run, '$.id'))
        WHERE workflow_run IS NOT NULL;
    """,
    """
    ALTER TABLE conversations ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
        -- 1: of one question to an app that holds none; no list has it
    CREATE INDEX conversations_alone ON conversations (app, seq) WHERE alone = 1;
    CREATE TABLE workflow_runs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        app TEXT NOT NULL, end_user TEXT NOT NULL REFERENCES end_users (id),
        logged INTEGER NOT NULL,           -- 1: of a workflow app; those of chatflows are in no log
        workflow TEXT NOT NULL, status TEXT NOT NULL,
        inputs TEXT NOT NULL,              -- JSON as Dify writes it, escaped: that is what keywords are looked for in
        outputs TEXT,                      -- the same; NULL while it runs and where it has none
        error TEXT, elapsed REAL NOT NULL DEFAULT 0,
        tokens INTEGER NOT NULL DEFAULT 0, steps INTEGER NOT NULL DEFAULT 0, exceptions INTEGER NOT NULL DEFAULT 0,
        created_at INTEGER NOT NULL, finished_at INTEGER
    );
    CREATE INDEX workflow_runs_by_app ON workflow_runs (app, seq) WHERE logged = 1;
    CREATE INDEX workflow_runs_by_message ON workflow_runs (message);
    INSERT OR IGNORE INTO workflow_runs (id, message, app, end_user, logged, workflow, status, inputs, outputs, error,
        elapsed, tokens, steps, exceptions, created_at, finished_at)
        SELECT json_extract(run, '$.id'), message, app, end_user, 0, json_extract(run, '$.workflow_id'),
            json_extract(run, '$.status'), inputs, json_extract(run, '$.outputs'), json_extract(run, '$.error'),
            COALESCE(json_extract(run, '$.elapsed_time'), 0), COALESCE(json_extract(run, '$.total_tokens'), 0),
            COALESCE(json_extract(run, '$.total_steps'), 0), COALESCE(json_extract(run, '$.exceptions_count'), 0),
            COALESCE(json_extract(run, '$.created_at'), asked), json_extract(run, '$.finished_at')
        FROM (SELECT m.id AS message, m.workflow_run AS run, m.inputs, m.created_at AS asked, c.app, c.end_user
            FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.workflow_run IS NOT NULL)
        WHERE json_extract(run, '$.workflow_id') IS NOT NULL AND json_extract(run, '$.status') IS NOT NULL;
    """,
    """
    CREATE TABLE run_files (               -- what a question to an app that holds no conversation was given, and made
        file TEXT NOT NULL REFERENCES files (id),
        message TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
        PRIMARY KEY (file, message)
    ) WITHOUT ROWID;
    CREATE INDEX run_files_by_message ON run_files (message);
    """,
)


class NewerStore(Exception):
    """The file was written by a later version of dify_notebook."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the newest version, each script whole or not at all.

    Raises:
        NewerStore: the file is ahead of this code.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(SCRIPTS):
        raise NewerStore(f"the store has version {version}, this program knows {len(SCRIPTS)}")
    for number, script in enumerate(SCRIPTS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
