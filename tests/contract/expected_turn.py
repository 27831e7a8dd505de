"""How a line of the tables of streams is written."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Expected:
    """One stream, seen from its end. Defaults are those of an uneventful chat."""

    case: str
    ids: str
    """First four characters of message, conversation, task and workflow run; `-` where none came."""
    answer: str
    status: str = field(default="succeeded", kw_only=True)
    end: str = field(default="message_end", kw_only=True)
    error_code: str | None = field(default=None, kw_only=True)
    """Code of the `error` event."""
    reasoning: str = field(default="", kw_only=True)
    """Without blanks around it."""
    thoughts: int = field(default=0, kw_only=True)
    tools: tuple[str, ...] = field(default=(), kw_only=True)
    """Tools of the thoughts that called one, in order."""
    logs: int = field(default=0, kw_only=True)
    nodes: int = field(default=0, kw_only=True)
    """Node runs, with every iteration and loop as one more."""
    node_status: dict[str, str] = field(default_factory=dict, kw_only=True)
    """Title and status of the runs that did not succeed; each title stands for one run."""
    retries: int = field(default=0, kw_only=True)
    files: int = field(default=0, kw_only=True)
    citations: int = field(default=0, kw_only=True)
    tokens: int | None = field(default=None, kw_only=True)
    """`usage.total_tokens`, as told."""
    audio_chunks: int = field(default=0, kw_only=True)
    annotated: bool = field(default=False, kw_only=True)
    replaced: bool = field(default=False, kw_only=True)
    complete: bool = field(default=True, kw_only=True)
    warnings: int = field(default=0, kw_only=True)
    """Data lines that are no JSON."""
    pings: int = field(default=0, kw_only=True)
    said: tuple[str, ...] = field(default=(), kw_only=True)
    """What the agent said in steps before the answer."""
    rounds: dict[str, int] = field(default_factory=dict, kw_only=True)
    """Title of each iteration and loop, and how many rounds it had."""
    forms: tuple[str, ...] = field(default=(), kw_only=True)
    """Status of each form, in the order in which they were asked."""

    def id_prefix(self, name: str) -> str | None:
        """Prefix of message_id, conversation_id, task_id or workflow_run_id; None where none came."""
        prefix = self.ids.split()[("message_id", "conversation_id", "task_id", "workflow_run_id").index(name)]
        return None if prefix == "-" else prefix


def words(count: int) -> str:
    """The stub model's long answer, as far as it got: word0 word1 word2 and so on."""
    return " ".join(f"word{number}" for number in range(count))
