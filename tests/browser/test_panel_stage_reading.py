"""What a person can do in the chat panel: look closely, judge, read on in conversations, listen.

The kernel is scripted, see `panel_stage`; the panel in a real notebook has tests of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from browser.panel_acts import ask, base, box, button, finished, last, show

__all__ = ["base", "show"]
pytestmark = pytest.mark.browser

# -- seeing what happened


def test_steps_are_asked_for_when_they_are_opened(show: Any) -> None:
    page = show()
    turn = page.locator(".turn").nth(1)
    turn.hover()
    turn.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Steps in detail").click()
    assert not page.evaluate("kernel.heard('node')")
    page.locator(".step summary").nth(2).click()
    assert last(page, "node")["node"] == "n2"
    page.get_by_text("Show all").click()
    page.get_by_text("Show less").wait_for()
    page.locator(".j-branch .j-branch > summary", has_text="history").click()
    page.get_by_text("2 items").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")


def test_variables_are_shown_and_changed(show: Any) -> None:
    page = show()
    button(page, "Menu").click()
    page.get_by_role("menuitem", name="Conversation variables").click()
    field = page.get_by_label("Value of city (JSON)")
    field.fill("Porto")
    page.get_by_text("This is not JSON.").wait_for()
    field.fill('"Porto"')
    button(page, "Save").click()
    assert last(page, "set_variable")["value"] == '"Porto"'


# -- judging


def test_rating_with_a_comment_and_revoked(show: Any) -> None:
    page = show()
    turn = page.locator(".turn").last
    turn.get_by_role("button", name="Bad answer").click()
    page.wait_for_function("kernel.turns.at(-1).rating === 'dislike'")
    page.get_by_label("Comment on your rating").fill("too short")
    page.keyboard.press("Enter")
    page.wait_for_function("kernel.turns.at(-1).comment === 'too short'")
    turn.get_by_role("button", name="Take the rating back").click()
    page.wait_for_function("kernel.turns.at(-1).rating === null")
    turn.get_by_role("button", name="Bad answer").wait_for()


def test_an_annotation_is_made_of_a_turn(show: Any) -> None:
    page = show()
    button(page, "More").last.click()
    page.get_by_role("menuitem", name="Make an annotation").click()
    answer = page.get_by_role("dialog").get_by_label("Answer")
    page.wait_for_function("kernel.heard('copy')")
    answer.fill("It is 310 euros.")
    button(page, "Save").click()
    sent = last(page, "annotate")
    assert (sent["question"], sent["answer"]) == ("Which of these is the quietest?", "It is 310 euros.")
    page.get_by_role("dialog").wait_for(state="detached")


def test_copying(show: Any) -> None:
    page = show()
    button(page, "Copy as Markdown").last.click()
    page.get_by_text("Copied", exact=True).first.wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "**Which of these is the quietest?**"
    button(page, "More").last.click()
    page.get_by_role("menuitem", name="Copy as a %%dify cell").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('%%dify'))")
    button(page, "More").last.click()
    assert page.get_by_role("menuitem", name="Insert as a new cell").count() == 0  # this page has no cells


def test_a_conversation_is_exported(show: Any) -> None:
    page = show()
    for name, file in (("Export as Markdown", "chat.md"), ("Export as notebook cells", "chat.ipynb")):
        button(page, "Menu").click()
        with page.expect_download() as waiting:
            page.get_by_role("menuitem", name=name).click()
        assert waiting.value.suggested_filename == file


# -- conversations


def test_the_list_of_conversations(show: Any) -> None:
    page = show()
    page.get_by_label("Search conversations").fill("Kyoto")
    page.wait_for_function("kernel.search === 'Kyoto'")
    button(page, "A week in Kyoto", exact=False).first.click()
    assert last(page, "open")["conversation"] == "c5"
    page.get_by_role("heading", name="A week in Kyoto").wait_for()
    page.get_by_label("Search conversations").fill("")
    button(page, "Actions for “Budget for the autumn”").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_label("New name").fill("Money")
    page.keyboard.press("Enter")
    assert last(page, "rename")["name"] == "Money"
    button(page, "Actions for “Money”").click()
    page.get_by_role("menuitem", name="Find a name").click()
    page.wait_for_function("kernel.last('rename').name === null")
    button(page, "Actions for “Packing for rain”").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_text("“Packing for rain” is deleted in a moment.").wait_for()
    button(page, "Undo").click()
    button(page, "Packing for rain", exact=False).first.wait_for()
    button(page, "New chat").click()
    assert last(page, "new")
    page.get_by_text("Begin with one of these").wait_for()


def test_more_conversations_come_when_the_end_is_seen(show: Any) -> None:
    page = show()
    page.evaluate("kernel.list(true)")
    assert last(page, "conversations")["more"] is True


def test_older_messages_come_without_a_jump(show: Any) -> None:
    page = show(turns=10)
    page.evaluate("""() => {
        kernel.older = kernel.turns.map((turn, i) => ({...turn, key: `o${i}`, view: 900 + i, query: `older ${i}`}));
        kernel.conversation = {...kernel.conversation, older: true};
        kernel.state('conversation', kernel.conversation);
    }""")
    top = button(page, "Load older messages")
    top.wait_for()
    place = """() => {
        const root = document.querySelector('#panel > div').shadowRoot;
        const line = root.querySelector('.scroller').getBoundingClientRect().top;
        return root.querySelector('[data-turn=t1]').getBoundingClientRect().top - line;
    }"""
    page.locator(".scroller").evaluate("el => el.scrollTop = 1")  # in sight: they come by themselves
    page.wait_for_function("kernel.older.length < 10")
    page.get_by_text("older 9", exact=True).wait_for()
    # The button that stood above goes on standing there, so what is below it moves by less than a line.
    assert abs(page.evaluate(place)) < 60
    assert page.locator(".scroller").evaluate("el => el.scrollTop") > 200


JUMPS = """async () => {
    const root = document.querySelector('#panel > div').shadowRoot, scroller = root.querySelector('.scroller');
    const frames = (n) => new Promise((done) => { const on = () => (n-- ? requestAnimationFrame(on) : done()); on(); });
    const edge = (el) => el.getBoundingClientRect();
    const seen = () => [...root.querySelectorAll('[data-turn]')]
        .find((el) => edge(el).bottom > edge(scroller).top + 200);
    const jumps = [];
    const after = async (change, moved) => {
        const el = seen(), before = edge(el).top - edge(scroller).top;
        change();
        await frames(4);
        jumps.push(Math.round(edge(el).top - edge(scroller).top - before - moved));
    };
    for (let n = 0; n < 40; n++) await after(() => { scroller.scrollTop -= 150; }, 150);
    // The notebook around is scrolled, then something far above becomes larger.
    await after(() => { document.body.style.paddingTop = '300px'; }, 0);
    await after(() => { root.querySelector('[data-turn]').style.paddingBottom = '500px'; }, 0);
    return jumps;
}"""


@pytest.mark.parametrize("anchor", ["auto", "none"])
def test_reading_upwards_nothing_jumps(show: Any, anchor: str) -> None:
    """Also where the browser holds on to nothing by itself, as Safari."""
    page = show(turns=40)
    page.locator("[data-turn]").last.wait_for()
    page.locator(".scroller").evaluate("(el, anchor) => { el.style.overflowAnchor = anchor; }", anchor)
    assert set(page.evaluate(JUMPS)) == {0}


def test_the_end_is_followed_unless_the_reader_left_it(show: Any) -> None:
    page = show(turns=12)
    gap = "() => { const el = document.querySelector('#panel > div').shadowRoot.querySelector('.scroller'); return el.scrollHeight - el.scrollTop - el.clientHeight; }"
    page.evaluate("kernel.pace = 20")
    ask(page, "go")
    page.locator(".running table").wait_for()
    page.wait_for_function(f"({gap})() < 2")
    page.locator(".scroller").hover()
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"({gap})() > 400")
    button(page, "To the newest message").wait_for()
    before = page.locator(".scroller").evaluate("el => el.scrollTop")
    page.evaluate("kernel.pace = 0")
    finished(page)
    assert abs(page.locator(".scroller").evaluate("el => el.scrollTop") - before) < 2
    button(page, "To the newest message").click()
    page.wait_for_function(f"({gap})() < 2")
    button(page, "To the newest message").wait_for(state="detached")


# -- speech


def test_an_answer_is_read_aloud_and_stopped(show: Any) -> None:
    page = show()
    button(page, "Read aloud").last.click()
    assert last(page, "speak")["key"] == "t3"
    button(page, "Stop reading").wait_for()
    button(page, "Stop reading").wait_for(state="detached")  # it ends by itself


def test_a_recording_ends_by_itself_before_it_is_too_large(show: Any) -> None:
    page = show()
    page.clock.install()
    page.evaluate(
        """() => {
            const stream = new AudioContext().createMediaStreamDestination().stream;
            navigator.mediaDevices.getUserMedia = async () => stream;
        }"""
    )
    button(page, "Speak your question").click()
    button(page, "End the recording").wait_for()
    page.clock.run_for(299_000)
    page.get_by_text("4:59").wait_for()
    assert not page.evaluate("kernel.heard('hear')")
    page.clock.run_for(2_000)
    last(page, "hear")
    page.wait_for_function("document.querySelector('#panel > div').shadowRoot.querySelector('textarea').value")
    assert box(page).input_value() == "spoken words"


def test_speech_that_comes_with_an_answer_is_played_when_wished(show: Any) -> None:
    page = show()
    page.evaluate(
        "() => { window.played = []; HTMLMediaElement.prototype.play = function () { played.push(this.src); return Promise.resolve(); }; }"
    )
    piece = "(last) => kernel.send({kind: 'sound', key: 't3', mime: 'audio/wav', last}, [kernel.sound()])"
    page.evaluate(f"({piece})(true)")
    button(page, "Menu").click()
    page.get_by_role("menuitemcheckbox", name="Play answers aloud").click()
    page.evaluate(f"({piece})(false); ({piece})(true)")
    button(page, "Stop reading").wait_for()
    assert len(page.evaluate("played")) == 1


def test_speech_is_heard_from_its_first_piece_on(show: Any) -> None:
    page = show()
    button(page, "Menu").click()
    page.get_by_role("menuitemcheckbox", name="Play answers aloud").click()
    page.evaluate(
        """() => {
            const play = HTMLMediaElement.prototype.play;
            HTMLMediaElement.prototype.play = function () { window.audio = this; return play.call(this); };
            window.silence = kernel.silence();  // 2 s of mp3
            window.piece = (from, to, last) => kernel.send(
                {kind: 'sound', key: 't3', mime: 'audio/mpeg', last}, [new DataView(silence, from, to - from)]);
            piece(0, 5000, false);  // cuts a frame in two, as servers do
        }"""
    )
    button(page, "Stop reading").wait_for()
    page.wait_for_function("window.audio.currentTime > 0.2")
    assert page.evaluate("audio.duration") == float("inf")  # more is to come
    page.evaluate("() => { piece(5000, 6000, false); piece(6000, silence.byteLength, true); }")
    page.wait_for_function("window.audio.ended")
    assert 1.9 < page.evaluate("audio.duration") < 2.1
    button(page, "Stop reading").wait_for(state="detached")
    # Stopped by the reader, the rest of it stays silent.
    page.evaluate("piece(0, 5000, false)")
    button(page, "Stop reading").click()
    page.evaluate("() => { window.audio = null; piece(5000, silence.byteLength, true); }")
    ask(page, "anything")
    finished(page)
    assert page.evaluate("audio") is None
