"""What the chat panel costs the page: one answer of 50,000 tokens, and a conversation of 500 turns.

    python -m benchmarks.bench_panel [--runs 3] [--tokens 50000] [--turns 500] [kind ...]      (in tests/)

Needs Chromium. A kernel's messages, made beforehand with the real views and channel, are
played to the real bundle at the times at which they would come (1,000 tokens a second),
each as JSON text, as a websocket brings it. Told are, as medians of the runs:

- the longest task of the page's main thread while it goes on, by its CPU time and by the clock
  (on a machine that does other things too, a task waits for its turn), and how many took 50 ms by the clock;
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

PLAY = """async () => {
    // played: [milliseconds from the begin, JSON of a message]
    const plain = {...kernel.streamed, suggested: [], nodes: []};
    kernel.put({...plain, key: 'long', view: 99999, query: 'Go on', status: 'running'});
    kernel.running = 'long';
    kernel.status();
    await new Promise(resolve => setTimeout(resolve, 200));
    const begun = performance.now();
    for (const [at, text] of played) {
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


class Tasks:
    """The tasks of a page's main thread, as the browser itself traces them."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._events: list[dict[str, Any]] = []
        self._ended = False
        self._session.on("Tracing.dataCollected", lambda told: self._events.extend(told["value"]))
        self._session.on("Tracing.tracingComplete", self._end)

    def _end(self, _: object) -> None:
        self._ended = True

    def begin(self) -> None:
        self._events.clear()
        self._ended = False
        self._session.send("Tracing.start", {"categories": "toplevel", "transferMode": "ReportEvents"})

    def end(self) -> dict[str, float]:
        """Milliseconds of the longest task (CPU, clock), and how many took 50 by the clock."""
        self._page.evaluate(SETTLE)
        self._session.send("Tracing.end")
        while not self._ended:
            self._page.wait_for_timeout(20)
        names = {e["tid"]: e["args"]["name"] for e in self._events if e["name"] == "thread_name"}
        found = [
            (event.get("tdur", 0) / 1000, event["dur"] / 1000)
            for event in self._events
            if event.get("ph") == "X"
            and event["name"].endswith("RunTask")
            and names.get(event["tid"]) == "CrRendererMain"
        ]
        assert found, "the browser traced no task"
        return {
            "cpu": max(cpu for cpu, _ in found),
            "clock": max(clock for _, clock in found),
            "long": sum(clock >= 50 for _, clock in found),
        }


def answer(chromium: Any, base: str, played: list[tuple[float, str]]) -> dict[str, float]:
    """Stream one answer into a panel."""
    with stage(chromium, base, turns=3) as page:
        page.evaluate("() => { kernel.on_hello = () => {}; }")
        page.evaluate("texts => { window.played = texts; }", played)
        tasks = Tasks(page)
        tasks.begin()
        done: dict[str, float] = page.evaluate(PLAY)
        assert page.log == [], page.log
        return {**tasks.end(), **done}


def conversation(chromium: Any, base: str, turns: int) -> dict[str, float]:
    """Load a long conversation, read it up to its first turn, and ask another question."""
    found: dict[str, float] = {}
    with stage(chromium, base, turns=turns) as page:
        tasks = Tasks(page)
        page.evaluate("unmount()")
        tasks.begin()
        page.evaluate("mount()")
        page.wait_for_function(
            f"document.querySelector('#panel > div').shadowRoot.querySelector('[data-turn=t{turns}] .dn-answer')"
        )
        found |= {f"load {name}": value for name, value in tasks.end().items()}
        tasks.begin()
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
        found |= {f"up {name}": value for name, value in tasks.end().items()}
        page.evaluate("kernel.pace = 10")
        # Not by role or name: to look for these takes the page longer than all that is measured.
        page.locator(".composer textarea").focus()
        tasks.begin()
        page.keyboard.type("One more")
        page.keyboard.press("Enter")
        page.wait_for_function("kernel.heard('ask') && !kernel.running")
        found |= {f"ask {name}": value for name, value in tasks.end().items()}
        assert page.log == [], page.log
    return found


def median(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


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
        print("one answer   tokens  messages       MB  B/token  longest task: CPU   clock   >= 50 ms  last paint ms")
        for kind in KINDS if wish.kinds == ["all"] else wish.kinds:
            for tokens in sorted({wish.tokens // 5, wish.tokens}):
                played = messages(kind, tokens)
                size = sum(len(each.encode()) for _, each in played)
                runs = [answer(chromium, base, played) for _ in range(wish.runs)]
                kept[f"{kind} {tokens}"] = runs
                print(
                    f"{kind:10} {tokens:8} {len(played):9} {size / 1e6:8.3f} {size / tokens:8.1f} "
                    f"{median(runs, 'cpu'):18.0f} {median(runs, 'clock'):7.0f} {median(runs, 'long'):10.0f} "
                    f"{median(runs, 'paint'):14.0f}",
                    flush=True,
                )
        print(f"\none conversation of {wish.turns} turns    longest task: CPU   clock   >= 50 ms")
        runs = [conversation(chromium, base, wish.turns) for _ in range(wish.runs)]
        kept[f"conversation {wish.turns}"] = runs
        for name, words in (("load", "loading it"), ("up", "reading up to its first turn"), ("ask", "asking one more")):
            cpu, clock, long = (median(runs, f"{name} {what}") for what in ("cpu", "clock", "long"))
            print(f"{words:36} {cpu:15.0f} {clock:7.0f} {long:10.0f}")
    if wish.json:
        wish.json.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
