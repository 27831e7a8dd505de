"""How the live view's messages are paced, and that they heal by themselves."""

from __future__ import annotations

import random

import pytest

from dify_notebook.live import channel as policy
from dify_notebook.live.channel import Channel
from dify_notebook.live.protocol import Packed, Patch, unpack
from dify_notebook.views.block import Block
from dify_notebook.views.diff import apply


def page(blocks: list[Block], clock: str = "0 s") -> Block:
    header = Block(key="header", tag="p", html=clock)
    return Block(
        key="r", tag="div", children=(header, Block(key="answer", tag="div", children=tuple(blocks)))
    )


class Screen:
    """The browser's rule, in short: a patch fits its one state, a repair all that it covers."""

    def __init__(self) -> None:
        self.have = 0
        self.root: Block | None = None

    def take(self, packed: Patch | Packed) -> None:
        message = unpack(packed)
        if message.base is None:
            fits = message.seq == self.have + 1
        else:
            fits = message.base == 0 or message.base <= self.have
        if fits and message.seq > self.have:
            self.root = apply(self.root, message.ops)
            self.have = message.seq


class Stream:
    """An answer of so many words a second, with a header that counts tenths of seconds."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.closed: list[Block] = []
        self.text = ""

    def frame(self, now: float) -> Block:
        self.text += self.random.choice(["word ", "字", "😀 "])
        if len(self.text) > 400:
            self.closed.append(Block(key=f"b{len(self.closed)}", tag="p", html=self.text))
            self.text = ""
        blocks = [*self.closed, Block(key=f"b{len(self.closed)}", tag="p", html=self.text)]
        return page(blocks, f"{now:.1f} s")


def run(seconds: float, loss: float, seed: int) -> tuple[list[float], Screen, Channel]:
    """Stream for so long; give how old the screen's picture was, each time it was wrong."""
    channel, screen, stream, random_ = Channel(1), Screen(), Stream(seed), random.Random(seed)
    wrong: list[float] = []
    right_at = now = 0.0
    while now < seconds:
        tree = stream.frame(now)
        for message in channel.offer(tree, now):
            if random_.random() >= loss:
                screen.take(message)
        if screen.root == tree:
            right_at = now
        else:
            wrong.append(now - right_at)
        now += max(channel.wait(now), 0.001)
    return wrong, screen, channel


def test_without_loss_the_screen_is_never_behind() -> None:
    wrong, _, _ = run(20, 0.0, 1)
    assert wrong == []


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_lost_heals_within_two_seconds(seed: int) -> None:
    wrong, _, _ = run(50, 0.1, seed)
    assert wrong, "a tenth was lost, and nothing was ever wrong: the test would prove nothing"
    assert max(wrong) < 2


def test_at_most_twenty_five_a_second() -> None:
    _, _, channel = run(10, 0.0, 3)
    assert 200 <= channel.messages <= 251


def test_ten_thousand_tokens_as_fast_as_they_come_are_few_messages() -> None:
    channel, stream = Channel(1), Stream(5)
    sent = []
    for token in range(10_000):
        now = token * 1e-6
        tree = stream.frame(now)
        if not channel.wait(now):
            sent += channel.offer(tree, now)
    sent.append(channel.end(tree, now))
    assert len(sent) <= 3
    assert apply(None, unpack(sent[-1]).ops) == tree


def test_drawing_rests_three_times_what_it_took() -> None:
    channel = Channel(1)
    channel.offer(page([]), 10.0, cost=0.5)
    assert channel.wait(10.0) == pytest.approx(1.5)
    assert channel.wait(12.0) == 0


def test_the_last_change_is_repaired_until_it_is_covered_and_then_never_again() -> None:
    """When nothing changes nothing is sent, but losing the last patch must still heal."""
    channel = Channel(1)
    channel.offer(page([]), 0.0)
    tree = page([Block(key="a", tag="p", html="1")])
    channel.offer(tree, 4.0)
    repairs = []
    now = 4.0
    while now < 20 and channel.needs_repair():
        wait = channel.wait_repair(now)
        assert wait is not None
        now += max(wait, 0.001)
        repairs += channel.offer(tree, now)
    assert 4 <= len(repairs) <= 7
    assert now < 8
    assert all(unpack(repair).base is not None for repair in repairs)
    assert channel.wait_repair(now) is None
    assert channel.offer(tree, 30.0) == []


def test_wholes_take_a_tenth_of_the_bytes_at_most() -> None:
    wrong, _, channel = run(50, 0.0, 7)
    assert wrong == []
    assert 0 < channel.whole_bytes <= policy.WHOLE_SHARE * channel.bytes_sent


def test_whoever_lost_ten_seconds_is_healed_by_a_whole() -> None:
    channel, screen, stream = Channel(1), Screen(), Stream(9)
    now = 0.0
    healed = None
    while now < 60:
        tree = stream.frame(now)
        for message in channel.offer(tree, now):
            if not 5 < now < 15:
                screen.take(message)
        if now >= 15 and screen.root == tree:
            healed = now
            break
        now += channel.wait(now)
    assert healed is not None


def test_a_word_for_the_screen_reader_travels_without_a_change_too() -> None:
    channel = Channel(1)
    tree = page([])
    channel.offer(tree, 0.0)
    channel.offer(tree, 10.0)
    [message] = channel.offer(tree, 20.0, say="Done")
    assert isinstance(message, Patch)
    assert (message.ops, message.say, message.base) == ([], "Done", 1)


def test_whole_before_the_first_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was drawn"):
        Channel(1).whole()
