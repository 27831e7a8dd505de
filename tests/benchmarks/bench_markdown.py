"""What rendering a growing answer costs: `python tests/benchmarks/bench_markdown.py`.

Five texts of the same size (mixed, one code fence, one list, one table, one paragraph)
grow in as many updates as a stream of 30 a second would bring. Shown for each: CPU of all
updates, the median and the slowest update, what rendering everything at once costs, and about how
many bytes of changes travel (changed leaves, as kept beginning + new rest).
"""

from __future__ import annotations

import argparse
import statistics
import time

from dify_notebook.views.block import Block
from dify_notebook.views.html import serialize
from dify_notebook.views.markdown import MarkdownRenderer

WORDS = (
    "the model reads a question and **answers** it with `code`, "
    "a [link](https://example.org/a) or *a thought*. "
    "Numbers like 3.14 and prices like $5 stand here too! 中文的句子也在这里。And $x^2$ is a formula. "
)


def texts(size: int) -> dict[str, str]:
    """The five texts, each of `size` characters."""
    section = (
        f"## A part of it\n\n{WORDS * 3}\n\n- one thing\n- another, with **weight**\n  1. below\n  2. it\n\n"
        "```python\ndef f(x: int) -> str:\n    # says it\n    return f'{x} times'\n```\n\n"
        "| name | value |\n|------|------:|\n| a | 1 |\n| b | 2 |\n\n"
        "> quoted words, some of them *weighty*\n\n"
        "$$\nE = mc^2\n$$\n\n"
    )
    code = "".join(
        f"    value_{n} = compute(value_{n - 1}, 'text', {n})  # step {n}\n" for n in range(1, size // 40)
    )
    items = "".join(f"- item {n}: {WORDS[:90]}\n" for n in range(size // 90))
    rows = "".join(f"| {n} | some *words* here | `code` | {n * 3.5} |\n" for n in range(size // 30))
    return {
        "mixed": (section * (size // len(section) + 1))[:size],
        "one fence": ("```python\n" + code)[: size - 4] + "\n```",
        "one list": items[:size],
        "one table": ("| n | words | code | value |\n|---|---|---|--:|\n" + rows)[:size],
        "one paragraph": (WORDS * (size // len(WORDS) + 1))[:size],
    }


def changed(old: Block | None, new: Block) -> int:
    """About the bytes that tell the change from one block to another."""
    if old is new:
        return 0
    if old is None or old.tag != new.tag or old.attrs != new.attrs or bool(old.html) != bool(new.html):
        return len(serialize(new).encode())
    if old.html != new.html:
        kept = 0
        for a, b in zip(old.html, new.html, strict=False):
            if a != b:
                break
            kept += 1
        return 40 + len(new.html[kept:].encode())
    if old.children == new.children:
        return 0
    before = {child.key: child for child in old.children}
    return sum(changed(before.get(child.key), child) for child in new.children)


def measure(text: str, updates: int) -> tuple[list[float], float, int]:
    """CPU seconds of each update, of one rendering of the whole, and bytes of changes."""
    renderer = MarkdownRenderer()
    spent, sent = [], 0
    shown = Block("answer", "div", {})
    for n in range(1, updates + 1):
        begun = time.process_time()
        blocks = renderer.update(text[: len(text) * n // updates])
        spent.append(time.process_time() - begun)
        now = Block("answer", "div", {}, "", blocks)
        sent += changed(shown, now)
        shown = now
    begun = time.process_time()
    MarkdownRenderer().update(text)
    return spent, time.process_time() - begun, sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[9_000, 45_000, 225_000])
    parser.add_argument(
        "--step", type=int, default=30, help="characters per update (1,000 tokens a second at 30 Hz: 150)"
    )
    options = parser.parse_args()
    MarkdownRenderer().update(texts(9_000)["mixed"])
    print(
        f"{'text':15} {'size':>8} {'updates':>8} {'CPU s':>7} {'median ms':>10} "
        f"{'slowest ms':>11} {'whole ms':>9} {'sent kB':>8}"
    )
    for size in options.sizes:
        for name, text in texts(size).items():
            updates = max(1, len(text) // options.step)
            spent, whole, sent = measure(text, updates)
            print(
                f"{name:15} {len(text):8} {updates:8} {sum(spent):7.2f} "
                f"{statistics.median(spent) * 1e3:10.2f} "
                f"{max(spent) * 1e3:11.1f} {whole * 1e3:9.1f} {sent / 1e3:8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
