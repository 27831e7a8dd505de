"""What a person can do in the chat panel, each against a scripted kernel; see `panel_stage`.

The panel in a real notebook, with a real kernel and server, has tests of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser.panel_stage import serving, stage

pytestmark = pytest.mark.browser

FILES = [
    {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"abc"},
    {"name": "bad.txt", "mimeType": "text/plain", "buffer": b"abc"},
    {"name": "tool.exe", "mimeType": "application/x-msdownload", "buffer": b"abc"},
]


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def show(chromium: Any, base: str) -> Iterator[Callable[..., Any]]:
    """Open a stage; what the page complained of fails the test at its end."""
    opened: list[Any] = []

    def make(**wish: Any) -> Any:
        context = stage(chromium, base, **wish)
        page = context.__enter__()
        opened.append((context, page))
        return page

    yield make
    for context, page in opened:
        log = list(page.log)
        context.__exit__(None, None, None)
        assert log == []


def box(page: Any) -> Any:
    return page.get_by_role("textbox", name=re.compile("Your question|你的问题"))


def ask(page: Any, text: str) -> Any:
    """Send it; gives the page."""
    box(page).fill(text)
    box(page).press("Enter")
    return page


def last(page: Any, what: str) -> Any:
    """The last command of that kind, once the kernel has heard one."""
    page.wait_for_function("what => kernel.heard(what)", arg=what)
    return page.evaluate("what => kernel.last(what)", what)


def finished(page: Any) -> None:
    page.wait_for_function("!kernel.running && !kernel.queue.length")


def button(page: Any, name: str, exact: bool = True) -> Any:
    return page.get_by_role("button", name=name, exact=exact)


# -- talking


def test_a_question_is_asked_and_its_answer_streams(show: Any) -> None:
    page = show(empty=True)
    page.evaluate("kernel.pace = 30")
    button(page, "Three quiet towns by the sea").click()
    page.locator(".dn-answer table").wait_for()  # the first rows, while the rest is still coming
    assert page.evaluate("kernel.running") is not None
    assert button(page, "Stop").is_visible()
    page.evaluate("kernel.pace = 0")
    finished(page)
    page.get_by_text("can be changed; the total follows").wait_for()
    assert last(page, "ask")["query"] == "Three quiet towns by the sea"
    button(page, "Add a day in Sintra").click()
    page.wait_for_function("kernel.last('ask').query === 'Add a day in Sintra'")


def test_enter_sends_and_input_methods_are_left_alone(show: Any) -> None:
    page = show()
    field = box(page)
    field.fill("你")
    for init in ("{isComposing: true}", "{keyCode: 229}"):
        field.evaluate(
            f"el => el.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, ...{init}}}))"
        )
    assert field.input_value() == "你"
    field.press("Shift+Enter")
    assert field.input_value() == "你\n"
    assert not page.evaluate("kernel.heard('ask')")
    field.press("Enter")
    assert last(page, "ask")["query"] == "你"
    assert field.input_value() == ""


def test_earlier_questions_come_back(show: Any) -> None:
    page = show()
    field = box(page)
    field.press("ArrowUp")
    assert field.input_value() == "Which of these is the quietest?"
    field.press("ArrowUp")
    assert field.input_value().startswith("As a table")
    field.press("ArrowDown")
    field.press("ArrowDown")
    assert field.input_value() == ""
    field.fill("a draft")
    field.press("ArrowUp")
    assert field.input_value() == "a draft"


def test_keys_never_reach_the_notebook(show: Any) -> None:
    page = show()
    page.evaluate(
        "window.leaked = []; for (const name of ['keydown', 'keypress', 'keyup']) document.addEventListener(name, (e) => leaked.push(e.key))"
    )
    box(page).press("a")
    box(page).press("Shift+Enter")
    box(page).press("Escape")
    button(page, "Menu").press("d")
    assert page.evaluate("leaked") == []


def test_stop_and_a_queue(show: Any) -> None:
    page = show()
    page.evaluate("kernel.pace = 30")
    ask(page, "first")
    button(page, "Stop").wait_for()
    ask(page, "second")
    ask(page, "third")
    button(page, "Remove the waiting question “third”").click()
    page.wait_for_function("kernel.queue.length === 1")
    button(page, "Stop").click()
    assert last(page, "stop")
    page.get_by_text("stopped", exact=True).first.wait_for()
    page.evaluate("kernel.pace = 0")
    finished(page)
    assert page.locator(".turns .bubble").all_inner_texts()[-2:] == ["first", "second"]


def test_a_kernel_that_cannot_hear(show: Any) -> None:
    """A question and a stop are shown as queued; to interrupt is a step of its own, and confirmed."""
    page = show()
    page.evaluate("kernel.pace = 30")
    ask(page, "first")
    button(page, "Stop").wait_for()
    page.evaluate("kernel.deaf = true")
    ask(page, "are you there?")
    page.get_by_text("The kernel is busy with a cell; this is sent as soon as it is free.").wait_for()
    page.locator("[data-asked]").get_by_text("Waiting").wait_for()
    button(page, "Stop").click()
    page.get_by_text("The kernel is busy with a cell; the stop waits until it is free.").wait_for()
    button(page, "Interrupt the kernel").click()
    dialog = page.get_by_role("alertdialog")
    dialog.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert page.evaluate("kernel.interrupts") == 0
    button(page, "Interrupt the kernel").click()
    dialog.get_by_role("button", name="Interrupt the kernel").click()
    page.wait_for_function("kernel.interrupts === 1")
    page.evaluate("kernel.pace = 0")
    page.get_by_text("The kernel is busy").first.wait_for(state="detached")
    finished(page)
    assert page.get_by_text("are you there?").count() == 1


def test_what_could_not_be_asked_comes_back(show: Any) -> None:
    page = show()
    page.evaluate("kernel.refuse = {message: 'The key was refused.', hint: 'Connect again.'}")
    ask(page, "my long text")
    page.get_by_role("alert").get_by_text("The key was refused.").wait_for()
    assert page.get_by_text("Connect again.").is_visible()
    assert box(page).input_value() == "my long text"
    button(page, "Dismiss").click()
    page.get_by_role("alert").wait_for(state="detached")


def test_a_failed_answer_is_tried_again(show: Any) -> None:
    page = show()
    page.evaluate("kernel.pace = 0; kernel.failing = true")
    ask(page, "fail, please")
    button(page, "Try again").click()
    assert last(page, "retry")
    finished(page)
    button(page, "Try again").wait_for(state="detached")
    assert page.get_by_text("fail, please").count() == 1
    button(page, "Answer again").last.click()
    finished(page)
    page.wait_for_function("kernel.heard('regenerate') && kernel.turns.length === 5")


# -- files


def test_attachments_are_checked_uploaded_shown_and_removed(show: Any) -> None:
    page = show()
    assert page.get_by_text("Up to 3 files: images to 10 MB").is_visible()  # said before anything is chosen
    page.evaluate("kernel.holding = true")
    page.locator("input[type=file]").first.set_input_files(FILES)
    page.get_by_role("alert").get_by_text("tool.exe is of a type that this app does not take.").wait_for()
    page.get_by_role("progressbar").first.wait_for()
    box(page).fill("with files")
    assert button(page, "Send").get_attribute("aria-disabled") == "true"
    box(page).press("Enter")
    assert not page.evaluate("kernel.heard('ask')")
    page.evaluate("kernel.holding = false")
    page.get_by_text("The server refused bad.txt.").wait_for()
    button(page, "Remove bad.txt").click()
    page.wait_for_function("kernel.uploads.size === 1")
    page.get_by_role("progressbar").first.wait_for(state="detached")
    box(page).press("Enter")
    assert len(last(page, "ask")["files"]) == 1
    page.locator(".turn").last.get_by_text("notes.txt").wait_for()
    assert page.locator(".composer .chip").count() == 0


def test_paste_and_drop(show: Any) -> None:
    page = show()
    give = """(el, name) => {
        const data = new DataTransfer();
        data.items.add(new File(['x'], name, {type: 'text/plain'}));
        const to = {bubbles: true, composed: true, cancelable: true};
        if (name === 'pasted.txt') el.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, ...to}));
        else for (const type of ['dragover', 'drop']) el.dispatchEvent(new DragEvent(type, {dataTransfer: data, ...to}));
    }"""
    box(page).evaluate(give, "pasted.txt")
    page.get_by_text("pasted.txt").first.wait_for()
    page.locator(".scroller").evaluate(give, "dropped.txt")
    page.locator(".composer").get_by_text("dropped.txt").wait_for()
    assert page.locator(".drop").count() == 0


def test_a_large_file_goes_in_pieces(show: Any) -> None:
    page = show()
    page.evaluate("() => { kernel.on_upload = (_, reply) => reply(); }")
    size = 5 * 2**20
    page.locator("input[type=file]").first.set_input_files(
        [{"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * size}]
    )
    page.wait_for_function("kernel.last('upload_part')?.last")
    parts = page.evaluate("kernel.log.filter(c => c.what === 'upload_part').map(c => [c.offset, c.bytes[0]])")
    assert sum(length for _, length in parts) == size
    assert [offset for offset, _ in parts] == [sum(n for _, n in parts[:i]) for i in range(len(parts))]


def test_a_file_of_an_answer_is_downloaded_through_the_kernel(show: Any) -> None:
    page = show()
    with page.expect_download() as waiting:
        button(page, "Download prices.csv").click()
    assert waiting.value.suggested_filename == "prices.csv"
    assert waiting.value.path().read_text() == "item,price\n"
    assert last(page, "file")["file"] == "d"


# -- inputs


def test_the_form_keeps_back_what_is_missing_and_sends_its_types(show: Any) -> None:
    page = show(empty=True, form=True)
    ask(page, "hello")
    page.get_by_text("Please fill this in.").wait_for()
    assert page.evaluate("document.querySelector('#panel > div').shadowRoot.activeElement.dataset.field") == "name"
    assert not page.evaluate("kernel.heard('ask')")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Budget (€)").fill("many")
    page.get_by_text("This is not a number.").wait_for()
    page.get_by_label("Budget (€)").fill("250.5")
    page.get_by_label("Pace").select_option("slow")
    page.get_by_label("I travel with children").check()
    page.get_by_label("More settings").fill("[1, 2")
    page.get_by_text("This is not JSON.").wait_for()
    page.get_by_label("More settings").fill("[1, 2]")
    page.locator("input[data-field=tickets]").set_input_files(
        [{"name": f"{n}.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"} for n in range(3)]
    )
    page.wait_for_function("kernel.uploads.size === 2")
    page.locator(".files-field .bar").first.wait_for(state="detached")
    box(page).press("Enter")
    inputs = last(page, "ask")["inputs"]
    tickets = inputs.pop("tickets")
    assert inputs == {"name": "Ada", "pace": "slow", "budget": 250.5, "children": True, "more": [1, 2]}
    assert tickets == page.evaluate("[...kernel.uploads.keys()]")


def test_frozen_inputs_are_shown_and_said_so(show: Any) -> None:
    page = show(form=True, frozen=True)
    button(page, "Menu").click()
    page.get_by_role("menuitem", name="Inputs").click()
    page.get_by_text("Inputs belong to the start of a conversation.").wait_for()
    assert page.get_by_label("Your name").get_attribute("readonly") is not None
    page.keyboard.press("Escape")
    ask(page, "go on")
    assert last(page, "ask")["inputs"] == {}


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


# -- languages, themes, loss


def test_chinese_by_the_browsers_language_and_switched(show: Any) -> None:
    page = show(lang="zh-Hans")
    assert "zh-CN" in last(page, "hello")["lang"]
    button(page, "新对话", exact=False).first.wait_for()
    page.evaluate("kernel.lang = 'en'; kernel.everything()")
    button(page, "New chat").first.wait_for()


def test_a_page_that_is_loaded_again_shows_the_same(show: Any) -> None:
    page = show()
    page.evaluate("unmount(); mount()")
    page.get_by_text("Which of these is the quietest?").wait_for()
    assert page.evaluate("kernel.listeners.size") == 1


def test_lost_messages_are_noticed_and_made_good(show: Any) -> None:
    page = show()
    page.evaluate("kernel.log = []; kernel.lose(); kernel.change('t3', {facts: 'seen again'})")
    assert last(page, "hello")["have"] > 0
    page.get_by_text("seen again").wait_for()


def test_a_restarted_kernel_is_said(show: Any) -> None:
    page = show()
    page.evaluate("kernel.restart()")
    page.get_by_text("The kernel was restarted or this panel was closed.").first.wait_for()
    assert page.get_by_text("Which of these is the quietest?").is_visible()
    box(page).press("Enter")
    assert not page.evaluate("kernel.heard('ask')")


@pytest.mark.parametrize(
    ("attribute", "value", "dark"),
    [("data-jp-theme-light", "false", True), ("data-jp-theme-light", "true", False), ("class", "vscode-dark", True),
     ("class", "vscode-light", False), ("style", "background:#181a1f", True), ("style", "background:#fafafa", False)],
)  # fmt: skip
def test_the_theme_of_the_page_is_followed(show: Any, attribute: str, value: str, dark: bool) -> None:
    page = show(theme="plain" if dark else "plain-dark")
    page.evaluate("([name, value]) => document.body.setAttribute(name, value)", [attribute, value])
    page.wait_for_function(
        "dark => document.querySelector('#panel > div').shadowRoot.querySelector('.root').classList.contains('dark') === dark",
        arg=dark,
    )


@pytest.mark.parametrize("width", [320, 480, 760, 1600])
def test_nothing_is_cut_off_at_any_width(show: Any, width: int) -> None:
    page = show(width=width, padding="0")
    found = page.evaluate("""() => {
        const root = document.querySelector('#panel > div').shadowRoot;
        const panel = root.querySelector('.root').getBoundingClientRect();
        const over = [...root.querySelectorAll('button, textarea, input:not(.sr), .bubble, .title')]
            .filter(el => el.checkVisibility() && !el.closest('.sr'))
            .filter(el => { const r = el.getBoundingClientRect(); return r.width && (r.right > panel.right + 1 || r.left < panel.left - 1); });
        return [document.documentElement.scrollWidth - innerWidth, over.map(el => el.outerHTML.slice(0, 100))];
    }""")
    assert found == [0, []]
    if width < 560:
        button(page, "Show conversations").click()
        button(page, "Night trains to Vienna", exact=False).first.click()
        assert last(page, "open")["conversation"] == "c1"
        page.get_by_label("Search conversations").wait_for(state="detached")


@pytest.mark.parametrize("wish", [{}, {"empty": True, "form": True}], ids=["conversation", "form"])
def test_nothing_but_the_lists_scrolls(show: Any, wish: dict[str, Any]) -> None:
    """Whoever brings something into view, by focus or by name, never pushes the header out of the panel."""
    page = show(**wish)
    found = page.evaluate("""() => {
        const root = document.querySelector('#panel > div').shadowRoot;
        const scrolls = [...root.querySelectorAll('*')].filter(el => el.scrollHeight > el.clientHeight + 1)
            .filter(el => getComputedStyle(el).overflowY !== 'visible' && !el.matches('.sr, textarea, .scroller, .dn-pre'))
            .filter(el => getComputedStyle(el).display !== 'inline');
        return scrolls.map(el => el.className);
    }""")
    assert found == []


# -- everyone


def tab_to(page: Any, name: str, most: int = 60) -> None:
    """Press Tab until the element of that name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => {
            let el = document.activeElement;
            while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
            return el?.getAttribute('aria-label') ?? el?.innerText ?? '';
        }""")
        if found.startswith(name):
            return
    raise AssertionError(f"{name} is not reached by Tab")


def test_the_keyboard_alone_suffices(show: Any) -> None:
    """Ask, stop, rate and rename without a pointer."""
    page = show()
    page.evaluate("kernel.pace = 30")
    tab_to(page, "Your question")
    page.keyboard.type("by keys alone")
    page.keyboard.press("Enter")
    button(page, "Stop").wait_for()
    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    page.get_by_text("stopped", exact=True).wait_for()
    page.keyboard.press("Shift+Tab")
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        if page.evaluate(
            "document.querySelector('#panel > div').shadowRoot.activeElement?.getAttribute('aria-label')"
        ) in ("Good answer", "Bad answer"):
            break
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("kernel.turns.at(-1).rating === 'dislike'")
    page.keyboard.type("no")
    page.keyboard.press("Enter")
    page.wait_for_function("kernel.turns.at(-1).comment === 'no'")
    tab_to(page, "Three days in Lisbon")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.get_by_label("New name").wait_for()
    page.keyboard.type("Trains")
    page.keyboard.press("Enter")
    assert last(page, "rename")["name"] == "Trains"


def test_a_screen_reader_hears_states_and_the_beginning_of_an_answer(show: Any) -> None:
    page = show()
    page.evaluate("kernel.pace = 0")
    ask(page, "go")
    finished(page)
    status = page.locator("[role=status]")
    page.wait_for_function(
        "document.querySelector('#panel > div').shadowRoot.querySelector('[role=status]').textContent.includes('Answer: Here it is')"
    )
    said = status.locator("p").all_inner_texts()
    assert "The question was sent." in said
    assert len(said) <= 5
    assert max(map(len, said)) < 260


STATES: dict[str, Callable[[Any], object]] = {
    "conversation": lambda page: None,
    "menu": lambda page: button(page, "More").last.click(),
    "steps": lambda page: (button(page, "More").last.click(), page.get_by_role("menuitem").nth(1).click()),
    "busy": lambda page: (page.evaluate("kernel.deaf = true"), ask(page, "?"), button(page, "Interrupt the kernel").click()),
    "failed": lambda page: (page.evaluate("kernel.pace = 0; kernel.failing = true"), ask(page, "?"), button(page, "Try again").wait_for()),
    "refused": lambda page: (page.evaluate("kernel.refuse = {message: 'No.', hint: 'Do.'}"), ask(page, "?"), page.get_by_role("alert").wait_for()),
    "files": lambda page: (page.locator("input[type=file]").first.set_input_files(FILES), page.get_by_text("refused bad").wait_for()),
    "rated": lambda page: (button(page, "Good answer").last.click(), page.get_by_label("Comment on your rating").wait_for()),
    "lost": lambda page: page.evaluate("kernel.restart()"),
}  # fmt: skip


def violations(page: Any) -> list[Any]:
    """What axe finds, once nothing moves any more."""
    from axe_playwright_python.sync_playwright import Axe

    page.wait_for_function(
        "document.querySelector('#panel > div').shadowRoot.getAnimations().every(each => each.playState !== 'running' || each.effect.getTiming().iterations === Infinity)"
    )
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("theme", ["light", "dark", "plain", "plain-dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(show: Any, theme: str, state: str) -> None:
    page = show(theme=theme)
    STATES[state](page)
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_axe_finds_nothing_before_the_first_question(show: Any, theme: str, width: int) -> None:
    page = show(theme=theme, empty=True, form=True, width=width, lang="zh-Hans" if width == 320 else "en")
    ask(page, "?")
    page.locator(".problem").first.wait_for()
    assert violations(page) == []
    if width == 320:
        page.locator(".toggle").click()
        assert violations(page) == []


def test_less_motion_where_it_is_wished(show: Any) -> None:
    page = show()
    page.emulate_media(reduced_motion="reduce")
    longest = page.evaluate("""() => Math.max(0, ...document.querySelector('#panel > div').shadowRoot.getAnimations()
        .map(each => each.effect.getComputedTiming().duration))""")
    assert longest < 1
