"""Emphasis where words stand without blanks: what was meant is bold, nothing else is, and other readers see the same."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.linear import MOST, growth
from support.readers import READERS
from unit.test_views_markdown import bare, whole

from dify_notebook.views.canonical import canonical
from dify_notebook.views.flanking import is_cjk

MARKED = {
    "quotes inside": ("这是**“重点”**内容", "这是<b>“重点”</b>内容"),
    "a colon inside": ("**注意：**请先备份。", "<b>注意：</b>请先备份。"),
    "a stop inside, kana behind": ("**重要。**この文", "<b>重要。</b>この文"),
    "book marks": ("推荐**《三体》**这本书", "推荐<b>《三体》</b>这本书"),
    "brackets at the end": ("以及**加粗（括号）**后文", "以及<b>加粗（括号）</b>后文"),
    "two of them": ("**甲：**一句话。还有**乙：**另一句", "<b>甲：</b>一句话。还有<b>乙：</b>另一句"),
    "quotes in each": ("说**“甲”**和**“乙”**的人", "说<b>“甲”</b>和<b>“乙”</b>的人"),
    "italics": ("*（斜体）*后", "<i>（斜体）</i>后"),
    "struck": ("前~~「删」~~後", "前<s>「删」</s>後"),
    "both": ("这***“重点”***内", "这<i><b>“重点”</b></i>内"),
    "italics within bold": ("**粗*（斜）*体**后", "<b>粗<i>（斜）</i>体</b>后"),
    "struck within bold": ("前**~~「删」~~**后", "前<b><s>「删」</s></b>后"),
    "a link": ("看**[链接](https://x.example)**吧", "看<b>链接</b>吧"),
    "code": ("用**`x`**做", "用<b>x</b>做"),
    "an ASCII bracket": ("**重点(a)**内", "<b>重点(a)</b>内"),
    "an ASCII full stop": ("**bold.**后文", "<b>bold.</b>后文"),
    "an emoji inside": ("前**🎉重点🎉**后", "前<b>🎉重点🎉</b>后"),
    "an emoji outside": ("🎉**“重点”**🎉", "🎉<b>“重点”</b>🎉"),
    "an emoji with its selector": ("❤️**“重点❤️”**内", "❤️<b>“重点❤️”</b>内"),
    "a variant of a letter": ("葛\U000e0100**(注)**城", "葛\U000e0100<b>(注)</b>城"),
    "Hangul": ("**스크립트(script)**라고", "<b>스크립트(script)</b>라고"),
    "Hangul in parts": ("**\u1112\u1161\u11ab(x)**\u1112\u1161\u11ab", "<b>\u1112\u1161\u11ab(x)</b>\u1112\u1161\u11ab"),
    "kana in parts": ("か\u3099**(x)**か\u3099", "か\u3099<b>(x)</b>か\u3099"),
    "half-width kana": ("ｶﾅ**｢強調｣**です", "ｶﾅ<b>｢強調｣</b>です"),
    "an ideographic space": ("甲\u3000**「乙」**\u3000丙", "甲\u3000<b>「乙」</b>\u3000丙"),
    "Latin letters outside": ("a**（x）**b", "a<b>（x）</b>b"),
    "shared signs of Chinese": ("**重点……**text", "<b>重点……</b>text"),
    "shared quotes of Chinese": ("**“重点”**and", "<b>“重点”</b>and"),
    "a letter between two": ("*甲***（乙）**", "<i>甲</i><b>（乙）</b>"),
    "a backslash before": ("\\中**(x)**字", "\\中<b>(x)</b>字"),
    "a blank is still a blank": ("这是** 不粗 **的", "这是** 不粗 **的"),
    "an escaped star": ("\\*\\*注意：\\*\\*请**（粗）**字", "**注意：**请<b>（粗）</b>字"),
    "in a heading": ("## 一、**“重点”**内容", "一、<b>“重点”</b>内容"),
    "in a list": ("- **注意：**请", "<b>注意：</b>请"),
    "an address behind": ("**网址：**https://x.example", "<b>网址：</b>https://x.example"),
    "an address inside": ("见**https://x.example/a**。完", "见<b>https://x.example/a</b>。完"),
    "a star in a formula": ("总价=单价*(1+税率)*数量", "总价=单价*(1+税率)*数量"),
    "a star behind a number": ("*（斜）*体，5*（3+2）*4=100", "<i>（斜）</i>体，5*（3+2）*4=100"),
    "names of files": ("删除*.log和*.tmp文件", "删除*.log和*.tmp文件"),
    "italics between letters": ("字*“斜”*体", "字<i>“斜”</i>体"),
    "an underscore in a name": ("**（甲）**a_b_c", "<b>（甲）</b>a_b_c"),
}  # fmt: skip

_NAMES = {"strong": "b", "em": "i", "del": "s"}


def marks(html: str) -> str:
    """The text with what is bold, italic or struck, and nothing else."""
    html = re.sub(r"<(/?)(strong|em|del)\b[^>]*>", lambda found: f"<{found[1]}{_NAMES[found[2]]}>", html)
    return unescape(re.sub(r"<(?!/?[bis]>)[^>]*>", "", html)).strip().removesuffix("¶")


@pytest.mark.parametrize(("text", "wanted"), MARKED.values(), ids=MARKED)
def test_what_was_meant_is_marked(text: str, wanted: str) -> None:
    assert marks(whole(text)) == wanted


@pytest.mark.parametrize(("text", "wanted"), MARKED.values(), ids=MARKED)
@pytest.mark.parametrize("reader", READERS)
def test_other_readers_mark_the_same(text: str, wanted: str, reader: str) -> None:
    if "<s>" in wanted and reader == "markdown-it, CommonMark":
        wanted = re.sub("</?s>", "~~", wanted)  # it knows nothing struck
    assert marks(READERS[reader](canonical(text))) == wanted


@pytest.mark.parametrize(("text", "wanted"), MARKED.values(), ids=MARKED)
def test_in_a_table_too(text: str, wanted: str) -> None:
    if not text.startswith(("#", "-")):
        table = f"| {text} |\n|---|\n| {text} |"
        assert re.sub(r"\s+", "", marks(whole(table))) == re.sub(r"[ \n]+", "", wanted * 2).replace("\u3000", "")


LATIN = ["a", "b1", "é", "ß", "Ж", " ", "\u00a0", "*", "**", "***", "_", "__", "~~", ".", ",", "(", ")", "“", "”", "…", "—", "€", "😀"] + [
    "\\*", "`c`", "[l](https://x.y)", "\u0301", "\ufe0f", "\n",
]  # fmt: skip


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(LATIN), max_size=16).map("".join))
def test_other_writing_is_commonmark_to_the_letter(text: str) -> None:
    oracle = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    assert bare(whole(f"x {text} x")) == bare(oracle.render(f"x {text} x"))
    assert "&#" not in canonical(f"x {text} x").replace("&#126;", "~")


BOTH = [*LATIN[:-4], "字", "重点", "。", "，", "「", "」", "（", "）", "ｶ", "한", "\u3000", "重点", "字字"]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(BOTH), max_size=12).map("".join))
def test_no_reader_loses_or_gains_a_letter(text: str) -> None:
    """Whatever the marks do: the words stay, and what is written is understood here as the answer was.

    But for longer runs of tildes, which could be a fence to others.
    """
    text = text.replace("~~~~", "~~")
    written = canonical(f"x {text} x")
    assert bare(whole(written)) == bare(whole(f"x {text} x"))
    plain = re.sub(r"[*~_\s]", "", re.sub(r"<[^>]*>", "", whole(f"x {text} x")))
    for reader in READERS.values():
        assert re.sub(r"[*~_\s]", "", re.sub(r"<[^>]*>", "", reader(written))) == plain


def test_a_long_paragraph_is_not_cut_before_marks() -> None:
    """It is cut into pieces behind sentences; marks behind a full stop begin the next word."""
    sentence = "这是一句不太长的话。**重点：**其余。"
    assert marks(whole(sentence * 200)) == "这是一句不太长的话。<b>重点：</b>其余。" * 200


def test_what_is_of_these_scripts() -> None:
    assert all(map(is_cjk, "中。「ﾊ한\u3000か\u3099㈱￥\U00020000㊗"))
    assert not any(map(is_cjk, ["a", "é", "”", "…", "😀", "⌚", "✅", "\U0001f3fb", "\ufe0f", "Ж", "€", ""]))


@pytest.mark.parametrize("piece", ["字**“", "**（x）**字", "*字", "字*（", "“**", "…", "~~「", "字_**（", "**https://x.y/$字"])
def test_the_cost_grows_as_the_text(piece: str) -> None:
    assert growth(lambda count: piece * count, lambda text: (whole(text), canonical(text)), 4_000 // len(piece)) <= MOST
