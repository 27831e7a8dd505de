"""guide: answers questions about dify_notebook out of its documentation.

It searches and quotes; it does not write. When nothing in the documentation is about the
question it says so. A follow-up is read together with the question before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...i18n import t
from ..engine.app import App
from ..engine.run import STEP_PAUSE, Run
from ..engine.search.ranking import Hit
from ..engine.search.resources import retriever_resources
from ..engine.search.sections import Language, Section, paragraphs
from ..engine.search.words import language_of, terms, weighted
from ..store.store import Row
from .documentation import index, segment_of
from .looking import looked_at, remark

CITED = 3
"""Passages that an answer cites at most."""
_ENOUGH: dict[Language, float] = {"en": 0.32, "zh-Hans": 0.18}
"""Coverage below which the documentation does not speak of the question. Pairs of Chinese characters
also fall across words, where nothing matches, so less is enough there."""
_SUBJECT = 0.2
"""Weight of an earlier question's terms beside those of a follow-up."""
_QUOTE = 1600
"""Characters of a section that are quoted whole; of a longer one, the fitting parts."""

_GREETING = re.compile(
    r"^\s*+(hi|hello|hey|good (morning|afternoon|evening)|help|who are you|what are you|"
    r"what can you do( for me)?|"
    r"你好|您好|嗨|在吗|帮助|你是谁|你能做什么|你会什么|你可以做什么)[\s!.?,！。？，~]*+(there)?[\s!.?！。？]*+$",
    re.IGNORECASE,
)
_SWITCH = re.compile(
    r"^\W*+(?:and|what about|how about|now|ok|please|same|answer|"
    r"(?:say|tell|show|explain|repeat)\s+(?:it|that|this)(?:\s+again)?)?"
    r"[\s,]*+(?:in|auf)?\s*+(?P<to>chinese|english|mandarin)\W*+(?:please)?\W*+$"
    r"|^\W*+(?:那么|那|请|再|可以|能)*+(?:用|说|换成|翻译成)?(?P<han>中文|汉语|英文|英语)(?:呢|怎么说|回答|再说一遍|说一遍|说|吧|吗)*+\W*+$",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(
    r"^\W*(and|what about|how about|also|but|then|so|or|ok(ay)?)\b"
    r"|\b(it|that|this|them|those|these|there|the same|another|instead)\b"
    r"|^(那么|那|还有|另外|然后|如果|换成)|它|这个|那个|这样|那样|(呢|呢？|呢\?)\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Findings:
    """What a search came to."""

    language: Language
    hits: tuple[Hit, ...]
    followed: bool
    """Whether the question was read together with an earlier one."""

    @property
    def found(self) -> bool:
        return any(hit.coverage >= _ENOUGH[self.language] for hit in self.hits)


def look_up(question: str, earlier: list[str]) -> Findings:
    """Search for a question, with the earlier questions of the conversation (oldest first) in mind."""
    switch = _SWITCH.match(question)
    if switch and earlier:
        to: Language = "zh-Hans" if (switch["to"] or switch["han"]).lower() in _CHINESE else "en"
        return _translated(earlier, to)
    language = language_of(question)
    own = weighted(question)
    hits = tuple(index(language).search(own, CITED))
    subject = _subject(earlier)
    strong = sum(1 for weight in own.values() if weight >= 1)
    if subject and strong <= 4 and (_FOLLOWS.search(question) or strong == 0):
        # What is asked now weighs more; what it is asked about decides between equals.
        both = dict.fromkeys(subject, _SUBJECT) | own
        joined = tuple(index(language).search(both, CITED))
        if strong == 0:
            # Nothing of its own ("why?"): the earlier question stands for it.
            joined = tuple(index(language).search(dict.fromkeys(subject, 1.0), CITED))
        if joined:
            return Findings(language, joined, followed=True)
    return Findings(language, hits, followed=False)


_CHINESE = ("chinese", "mandarin", "中文", "汉语")


def _subject(earlier: list[str]) -> list[str]:
    """Terms of the latest earlier question that has any, of the last four."""
    for question in reversed(earlier[-4:]):
        if not _SWITCH.match(question) and (found := terms(question, question=True)):
            return found
    return []


def _translated(earlier: list[str], to: Language) -> Findings:
    """The passages that answered the last real question, in another language.

    Sections stand in the same order in every language.
    """
    questions = [question for question in earlier if not _SWITCH.match(question)]
    if not questions:
        return Findings(to, (), followed=True)
    before = look_up(questions[-1], questions[:-1])
    same = {section.key: section for section in index(to).sections}
    hits = tuple(
        Hit(same[hit.section.key], hit.score, hit.coverage) for hit in before.hits if hit.section.key in same
    )
    return Findings(to, hits, followed=True)


def compose(findings: Findings, question: str) -> str:
    """The answer in markdown: passages of the documentation, quoted and named."""
    lang = findings.language
    best = findings.hits[0]
    parts = [t("local.guide.from", lang, section=best.section.name), _fitting(best.section, question)]
    near = [hit for hit in findings.hits[1:] if hit.score >= 0.4 * best.score]
    if near:
        names = "\n".join(f"- **{hit.section.name}**: {_opening(hit.section)}" for hit in near)
        parts += [t("local.guide.also", lang), names]
    return "\n\n".join(parts)


def _fitting(section: Section, question: str) -> str:
    """A section, or of a long one the blocks that speak of the question, each with what belongs to it."""
    if len(section.text) <= _QUOTE:
        return section.text
    wanted = set(weighted(question))
    blocks = paragraphs(section.text)
    worth = [len(wanted & set(terms(block))) for block in blocks]
    order = sorted(range(len(blocks)), key=lambda number: (-worth[number], number))
    chosen: set[int] = {0}
    size = len(blocks[0])
    for number in order:
        # A sentence that ends in a colon and the code under it go together.
        group = {number}
        if blocks[number].rstrip().endswith((":", "：")) and number + 1 < len(blocks):
            group.add(number + 1)
        if blocks[number].startswith("```") and number > 0:
            group.add(number - 1)
        more = sum(len(blocks[member]) for member in group - chosen)
        if size + more <= _QUOTE or not chosen:
            chosen |= group
            size += more
    return "\n\n".join(blocks[number] for number in sorted(chosen))


def _opening(section: Section) -> str:
    """The first sentence of a section that is not code or a table."""
    for block in paragraphs(section.text):
        if not block.startswith(("```", "|", "-", "#")):
            line = " ".join(block.split())
            sentence = re.split(r"(?<=[.!?])\s|(?<=[。！？])", line, maxsplit=1)[0]
            return sentence.rstrip(":：")
    return section.page


@dataclass(frozen=True)
class Reply:
    """What is said to a question, and out of which passages."""

    text: str
    hits: tuple[Hit, ...] = ()
    searched: bool = True


def reply_to(question: str, earlier: list[str]) -> Reply:
    """Search, and put together what was found."""
    beginning, before = looked_at(question), [looked_at(previous) for previous in earlier]
    lang = language_of(beginning)
    if _GREETING.match(beginning) or not beginning.strip():
        return Reply("\n\n".join([t("local.guide.hello", lang), *remark(question, lang)]), searched=False)
    findings = look_up(beginning, before)
    lang = findings.language
    if not findings.found:
        topics = "\n".join(f"- {page}" for page in _pages(lang))
        return Reply("\n\n".join([t("local.guide.nothing", lang, topics=topics), *remark(question, lang)]))
    text = compose(findings, " ".join([*before[-1:], beginning]) if findings.followed else beginning)
    return Reply("\n\n".join([text, *remark(question, lang)]), findings.hits)


async def answer(run: Run) -> None:
    """Search, then say what was found."""

    def read() -> Reply:
        run.meter.read(run.query)
        reply = reply_to(run.query, [str(row["query"]) for row in run.history])
        run.resources = retriever_resources(reply.hits, "api", segment_of)
        for hit in reply.hits:
            run.meter.read(hit.section.text)
        return reply

    reply, _ = await run.work(read)
    if reply.searched:
        await run.pause(STEP_PAUSE)
    await run.say(reply.text)


def _pages(language: Language) -> list[str]:
    return list(dict.fromkeys(section.page for section in index(language).sections))


def suggest(message: Row) -> list[str]:
    """Ask on: about the other passages that were cited, then about the first pages."""
    lang = language_of(looked_at(message["query"]))
    cited = [resource["document_name"].rpartition(" › ")[2] for resource in message["resources"][1:]]
    titles = list(dict.fromkeys([*cited, *_pages(lang)]))
    return [t("local.guide.ask_about", lang, title=title) for title in titles[:3]]


GUIDE = App(
    name="guide",
    mode="chat",
    description="Answers questions about dify_notebook by searching its documentation. No language model.",
    icon="📖",
    opening="Ask me how to use dify_notebook, in English or Chinese. I search its documentation.",
    suggested_questions=(
        "How do I send a file with a question?",
        "How do I stop a running answer?",
        "怎样接着之前的会话提问？",
    ),
    answer=answer,
    suggest=suggest,
)
