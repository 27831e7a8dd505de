"""Texts into terms to search by: English words lightly stemmed, Chinese in pairs of characters."""

from __future__ import annotations

import re
import unicodedata

from .sections import Language

_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[a-z0-9]+(?:[_.\-/][a-z0-9]+)*", re.IGNORECASE)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "for",
        "from",
        "get",
        "give",
        "given",
        "go",
        "had",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "let",
        "like",
        "made",
        "make",
        "may",
        "me",
        "mine",
        "more",
        "most",
        "much",
        "my",
        "need",
        "no",
        "not",
        "of",
        "on",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "own",
        "please",
        "same",
        "should",
        "show",
        "so",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "thing",
        "this",
        "those",
        "to",
        "too",
        "up",
        "us",
        "use",
        "used",
        "using",
        "very",
        "want",
        "was",
        "way",
        "we",
        "were",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "while",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "yes",
        "about",
        "also",
        "after",
        "again",
        "all",
        "am",
        "because",
        "before",
        "both",
        "each",
        "explain",
        "here",
        "happen",
        "happens",
        "mean",
        "means",
        "possible",
        "know",
        "exactly",
        "work",
        "works",
        "long",
        "does",
        "doesn",
        "don",
        "t",
        "s",
        "re",
        "ve",
        "ll",
        "m",
        "d",
        "isn",
    ]
)
_ASKING = re.compile(
    "请问|请|怎么样|怎么办|怎么|怎样|如何|什么时候|什么|为什么|是否|能不能|可不可以|可以|能否|能够|有没有|哪里|哪些|哪个|哪|"
    "多少|吗|呢|吧|啊|了|的|我们|我|你|它|这个|那个|这些|那些|那么|那|一下|告诉|想要|想|要|应该|需要|会|和|与|及|或|在|是|有|把|被|从|到|给|用来|用于"
)

# What people call a thing -> what the documentation calls it. Both stay in the query, the second weighs less.
SYNONYMS = {
    "abort": "stop", "cancel": "stop", "interrupt": "stop", "kill": "stop", "halt": "stop",
    "image": "file", "picture": "file", "photo": "file", "attachment": "file", "attach": "file",
    "pdf": "file", "document": "file", "csv": "file", "token": "usage", "cost": "price",
    "expensive": "price", "bill": "price", "async": "await", "asynchronous": "await", "asyncio": "await",
    "synchronous": "sync", "thread": "conversation", "chat": "conversation", "history": "conversation",
    "session": "conversation", "secret": "key", "password": "key", "credential": "key", "leak": "key",
    "apikey": "key", "exception": "error", "fail": "error", "failure": "error", "crash": "error",
    "problem": "error", "environment": "variable", "parameter": "option", "flag": "option",
    "argument": "option", "slow": "timeout", "hang": "timeout", "stuck": "timeout", "export": "save",
    "persist": "save", "offline": "embedded", "local": "embedded", "install": "installation",
    "setup": "installation", "result": "turn", "answer": "turn", "reply": "turn", "source": "citation",
    "reference": "citation", "cite": "citation", "node": "workflow", "reconnect": "connect",
    "url": "address", "server": "address", "restart": "new", "reset": "new", "fresh": "new",
    "取消": "停止", "中断": "停止", "终止": "停止", "打断": "停止", "图片": "文件", "照片": "文件",
    "附件": "文件", "上传": "文件", "密钥": "密钥", "秘钥": "密钥", "钥匙": "密钥", "费用": "价格",
    "花费": "价格", "多少钱": "价格", "异步": "await", "报错": "错误", "异常": "错误", "失败": "错误",
    "超时": "超时", "卡住": "超时", "离线": "内置", "本地": "内置", "安装": "安装", "聊天": "会话",
    "对话": "会话", "引用": "引用", "来源": "引用", "出处": "引用", "重新": "新", "环境变量": "环境",
    "结果": "turn", "回答": "turn",
}  # fmt: skip


def language_of(text: str) -> Language:
    """The language in which a text is searched for and answered: Chinese where it has a Chinese character."""
    return "zh-Hans" if _HAN.search(text) else "en"


def stem(word: str) -> str:
    """A light English stem: plural, -ing, -ed and -ly off where enough of the word is left."""
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    for end, put in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if word.endswith(end) and len(word) > len(end) + 1:
            return word[: -len(end)] + put
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for end in ("ing", "ed"):
        base = word[: -len(end)]
        if word.endswith(end) and len(base) >= 3 and any(letter in "aeiouy" for letter in base):
            if len(base) > 3 and base[-1] == base[-2] and base[-1] not in "lsz":
                return base[:-1]
            return base[:-1] if base.endswith("e") and len(base) > 4 else base
    if word.endswith("ly") and len(word) > 5:
        word = word[:-2]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def terms(text: str, *, question: bool = False) -> list[str]:
    """The terms of a text, in order, with repeats.

    An identifier such as `conversation_id` gives itself and its parts. With `question`, the words that
    only ask are taken out of Chinese before it is cut into pairs.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    found: list[str] = []
    for match in _RUN.finditer(text):
        run = match.group()
        if _HAN.match(run):
            for part in _ASKING.split(run) if question else (run,):
                found.extend(_pairs(part))
            continue
        parts = re.split(r"[_.\-/]", run)
        if len(parts) > 1:
            found.append(run)
        found.extend(
            stem(part) for part in parts if part and part not in _STOP and (len(part) > 1 or part.isdigit())
        )
    return found


def weighted(question: str) -> dict[str, float]:
    """Terms of a question with their weights: its own count 1, synonyms 0.7."""
    weights = dict.fromkeys(terms(question, question=True), 1.0)
    lowered = unicodedata.normalize("NFKC", question).lower()
    for word, meant in SYNONYMS.items():
        hit = word in lowered if _HAN.match(word) else stem(word) in weights
        if hit:
            for term in terms(meant):
                weights.setdefault(term, 0.7)
    return weights


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] if len(run) > 1 else ([run] if run else [])
