"""What the chat panel costs the page: one answer of 50,000 tokens, and a conversation of 500 turns.

    python -m benchmarks.bench_panel [--runs 3] [--tokens 50000] [--turns 500] [kind ...]      (in tests/)

Needs Chromium. A kernel's messages, made beforehand with the real views and channel, are
played to the real bundle at the times at which they would come (1,000 tokens a second),
each as JSON text, as a websocket brings it. Told are, as medians of the runs:

- the longest task of the page's main thread while it goes on (the browser reports tasks from 50 ms;
  below that it is "< 50"), and how many there were;
- bytes of all messages;
- the time from the last message to the last paint.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import msgspec

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_live import KINDS, TOKEN, text
from browser.harness import browser
from browser.panel_stage import serving, stage

from dify_notebook.live.channel import Channel
from dify_notebook.turn.state import Timing, Turn
from dify_notebook.views import TurnView

RATE = 1000
"""Tokens a second."""

WATCH = """() => {
    window.tasks = [];
    const keep = list => tasks.push(...list.getEntries().map(each => each.duration));
    new PerformanceObserver(keep).observe({type: 'longtask'});
}"""
PLAY = """async texts => {
    // texts: [milliseconds from the begin, JSON of a message]
    const plain = {...kernel.streamed, suggested: [], nodes: []};
    kernel.put({...plain, key: 'long', view: 99999, query: 'Go on', status: 'running'});
    kernel.running = 'long';
    kernel.status();
    await new Promise(resolve => setTimeout(resolve, 200));
    tasks.length = 0;
    const begun = performance.now();
    for (const [at, text] of texts) {
        const rest = begun + at - performance.now();
        if (rest > 0) await new Promise(resolve => setTimeout(resolve, rest));
        const message = {kind: 'patch', patch: JSON.parse(text), n: ++kernel.n};
        kernel.listeners.forEach(callback => callback(message));
    }
    const last = performance.now();
    const root = document.querySelector('#panel > div').shadowRoot;
    const place = root.querySelector('[data-turn=long] .body');
    const paint = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
    while (!place.textContent.includes('The very last words.')) await paint();
    await paint();
    return {paint: performance.now() - last, elements: place.querySelectorAll('*').length};
}"""
SETTLE = "() => new Promise(resolve => setTimeout(() => requestAnimationFrame(() => setTimeout(resolve, 100)), 400))"


def messages(kind: str, tokens: int) -> list[tuple[float, str]]:
    """(milliseconds, JSON) of each message that the answer makes."""
    answer = text(kind, int(tokens * TOKEN))
    view, channel = TurnView("en"), Channel(99999)
    begin = Timing(opened=0.0, first_event=0.0, first_token=0.0)
    turn = Turn(query="q", timing=begin)
    sent: list[tuple[float, Any]] = []
    now = 0.0
    while now < tokens / RATE:
        grown = msgspec.structs.replace(turn, answer=answer[: int(now * RATE * TOKEN)])
        sent += [(now, message) for message in channel.offer(view.blocks(grown, now), now)]
        now += max(0.001, channel.wait(now))
    ended = msgspec.structs.replace(
        turn,
        answer=answer + "\n\nThe very last words.",
        status="succeeded",
        end="message_end",
        complete=True,
        timing=msgspec.structs.replace(begin, total=now),
    )
    sent.append((now, channel.end(view.blocks(ended, now), now)))
    return [(1000 * at, msgspec.json.encode(message).decode()) for at, message in sent]


def tasks(page: Any) -> tuple[float, int]:
    page.evaluate(SETTLE)
    found: list[float] = page.evaluate("tasks.splice(0)")
    return max(found, default=0.0), len(found)


def answer(chromium: Any, base: str, played: list[tuple[float, str]]) -> dict[str, float]:
    """Stream one answer into a panel."""
    with stage(chromium, base, turns=3) as page:
        page.evaluate(WATCH)
        page.evaluate("() => { kernel.on_hello = () => {}; }")
        done = page.evaluate(PLAY, played)
        longest, count = tasks(page)
        assert page.log == [], page.log
        return {"longest": longest, "tasks": count, **done}


def conversation(chromium: Any, base: str, turns: int) -> dict[str, float]:
    """Load a long conversation, read it up to its first turn, and ask another question."""
    found: dict[str, float] = {}
    with stage(chromium, base, turns=turns) as page:
        page.evaluate(WATCH)
        page.evaluate("unmount()")
        tasks(page)
        page.evaluate("mount()")
        page.locator("[data-turn=t" + str(turns) + "]").wait_for()
        found["load"], found["load tasks"] = tasks(page)
        page.evaluate(
            """async () => {
                const root = document.querySelector('#panel > div').shadowRoot;
                const scroller = root.querySelector('.scroller');
                const frame = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
                for (let still = 0; still < 30; still++) {
                    if (scroller.scrollTop > 0) still = 0;
                    scroller.scrollTop -= 900;
                    await frame();
                    if (root.querySelector('[data-turn=t1]') && scroller.scrollTop === 0) break;
                }
            }"""
        )
        found["drawn"] = page.locator(".turn").count()
        found["up"], found["up tasks"] = tasks(page)
        page.evaluate("kernel.pace = 10")
        page.get_by_role("textbox", name="Your question").fill("One more")
        page.get_by_role("textbox", name="Your question").press("Enter")
        page.wait_for_function("kernel.heard('ask') && !kernel.running")
        found["ask"], found["ask tasks"] = tasks(page)
        assert page.log == [], page.log
    return found


def median(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def task(milliseconds: float) -> str:
    return f"{milliseconds:.0f}" if milliseconds >= 50 else "< 50"


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=50_000)
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--json", type=Path, help="write all runs there too")
    parser.add_argument("kinds", nargs="*", default=["mixed"])
    wish = parser.parse_args()
    kept: dict[str, Any] = {}
    with serving() as base, browser() as chromium:
        print("one answer   tokens  messages       MB  B/token  longest task ms  tasks  last paint ms  elements")
        for kind in KINDS if wish.kinds == ["all"] else wish.kinds:
            for tokens in sorted({wish.tokens // 5, wish.tokens}):
                played = messages(kind, tokens)
                size = sum(len(each.encode()) for _, each in played)
                runs = [answer(chromium, base, played) for _ in range(wish.runs)]
                kept[f"{kind} {tokens}"] = runs
                print(
                    f"{kind:10} {tokens:8} {len(played):9} {size / 1e6:8.3f} {size / tokens:8.1f} "
                    f"{task(median(runs, 'longest')):>16} {median(runs, 'tasks'):6.0f} {median(runs, 'paint'):14.0f} "
                    f"{median(runs, 'elements'):9.0f}",
                    flush=True,
                )
        print("\none conversation   turns  longest task ms: load   reading up to the first   asking one more")
        runs = [conversation(chromium, base, wish.turns) for _ in range(wish.runs)]
        kept[f"conversation {wish.turns}"] = runs
        load, up, ask = (task(median(runs, name)) for name in ("load", "up", "ask"))
        print(f"{'':16} {wish.turns:7} {load:>22} {up:>25} {ask:>17}")
    if wish.json:
        wish.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
