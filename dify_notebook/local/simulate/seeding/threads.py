"""What the users of a seeded history ask about: threads of questions, by topic, app and language.

A conversation is the beginning of a thread. `billing` is what the documentation says nothing about.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ...engine.search.sections import Language


@dataclass(frozen=True)
class Thread:
    """Questions in the order in which they are asked."""

    app: str
    topic: str
    lang: Language
    questions: tuple[str, ...]


BILLING = "billing"
"""The topic without documentation: no word of its questions stands there, so that it may grow around them."""

_GUIDE: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]] = {
    "start": (
        (
            ("What is dify_notebook?", "How do I install it?", "What are the three built-in apps?"),
            ("How do I ask the first question?", "Which languages do the messages have?", "Where do I get help?"),
        ),
        (
            ("dify_notebook 是什么？", "怎么安装？", "内置的三个应用是什么？"),
            ("怎样提出第一个问题？", "消息可以显示成中文吗？", "在哪里可以得到帮助？"),
        ),
    ),
    "magic": (
        (
            ("How do I write a %%dify cell?", "Which options does it have?", "What does the cell show?"),
            ("What does the %dify line do?", "How do I list the conversations with %dify?"),
        ),
        (
            ("%%dify 单元格怎么写？", "它有哪些选项？", "单元格会显示什么？"),
            ("%dify 这一行命令有什么用？", "怎么用 %dify 列出会话？"),
        ),
    ),
    "variables": (
        (
            (
                "How do I put a notebook variable into a question?", "What does a DataFrame become?",
                "How do I write literal braces?",
            ),
            ("Can I see what would be sent without sending it?", "How do I pass inputs with -i?"),
        ),
        (
            ("怎样在问题里使用 notebook 变量？", "DataFrame 会变成什么？", "怎样写字面的大括号？"),
            ("能不能只查看要发送的内容而不发送？", "怎样用 -i 传入输入？"),
        ),
    ),
    "files": (
        (
            (
                "How do I send a file with a question?", "Can it be a file from the web?",
                "Which files does an app take?", "How do I download a file?",
            ),
            ("Can I send a PNG from Python?", "Why is my file refused with 413?"),
        ),
        (
            ("怎样随问题发送文件？", "可以发送网上的文件吗？", "应用接受哪些文件？", "怎样下载文件？"),
            ("可以从 Python 发送图片文件吗？", "为什么文件被拒绝，返回 413？"),
        ),
    ),
    "conversations": (
        (
            (
                "How do I continue a conversation?", "How do I start a new one?",
                "Can I repeat a cell from the same start?",
            ),
            ("How do I list my conversations and messages?", "Can I choose a conversation by number?"),
        ),
        (
            ("怎样接着之前的会话提问？", "怎样开始新的会话？", "可以从同一起点重复一个单元格吗？"),
            ("怎样列出会话和消息？", "可以按编号选择会话吗？"),
        ),
    ),
    "stopping": (
        (
            (
                "How do I stop a running answer?", "How do I set a timeout?",
                "What happens when the connection is lost?", "Is closing the same as stopping?",
            ),
            ("The answer never ends, how do I interrupt the cell?", "What about slow apps?"),
        ),
        (
            ("怎样停止正在生成的回答？", "怎样设置超时？", "连接断开会怎样？", "关闭和停止一样吗？"),
            ("回答一直不结束，怎样中断单元格？", "应用很慢怎么办？"),
        ),
    ),
    "results": (
        (
            (
                "How do I get the Turn of an answer?", "Where are tokens and price?",
                "How do I see the citations?", "Which tools did the agent call?",
            ),
            ("What do status and end mean?", "How long did each node take?"),
        ),
        (
            ("怎样得到回答的 Turn？", "词元和价格在哪里？", "怎样查看引用？", "智能体调用了哪些工具？"),
            ("status 和 end 是什么意思？", "每个节点用了多长时间？"),
        ),
    ),
    "client": (
        (
            (
                "How do I make a client in Python?", "How do I use it with async?",
                "How do I read a stream?", "Which errors can it raise?",
            ),
            ("Can the client go through a proxy?", "How do I get a whole list at once?"),
        ),
        (
            ("怎样在 Python 里创建客户端？", "怎样异步使用它？", "怎样读取流？", "它会抛出哪些错误？"),
            ("客户端可以走代理吗？", "怎样一次取得整个列表？"),
        ),
    ),
    "connecting": (
        (
            ("How do I connect to my own Dify server?", "Which environment variables are read?", "What is a profile?"),
            ("I get 401, what is wrong with my key?", "And 404 for a conversation?"),
        ),
        (
            ("怎样连接我自己的 Dify 服务器？", "会读取哪些环境变量？", "什么是 profile？"),
            ("返回 401，我的密钥有什么问题？", "会话返回 404 呢？"),
        ),
    ),
    "security": (
        (
            ("How do I keep the key out of the notebook?", "Where is it kept?", "What should I do if the key leaked?"),
            ("Can an answer run scripts in my notebook?", "What is saved in the notebook file?"),
        ),
        (
            ("怎样不让密钥出现在 notebook 里？", "密钥保存在哪里？", "密钥泄露了怎么办？"),
            ("回答里的脚本会在 notebook 中运行吗？", "notebook 文件里保存了什么？"),
        ),
    ),
    BILLING: (
        (
            ("How do I get a refund?", "Who pays my refund?", "I want a refund for one of the charges"),
            ("VAT invoice please", "I want a refund for one of the charges"),
            ("Can I pay with PayPal?", "Do students get a discount?"),
            ("Do students get a discount?", "How do I get a refund if I graduate?"),
        ),
        (
            ("怎么申请退款？", "团队版可以退款吗？", "退款电话是多少？"),
            ("可以用支付宝付款吗？", "我要退款"),
            ("年付有折扣吗？", "学生有优惠吗？"),
            ("专业版和团队版有什么区别？", "退订套餐后能退款吗？"),
        ),
    ),
}  # fmt: skip

_LISTS: dict[Language, tuple[str, ...]] = {
    "en": (
        "timeouts", "citations", "uploading files", "API keys", "conversations", "dark mode", "agent tools",
        "prices", "nbconvert", "profiles", "proxies", "notebook variables", "stopping an answer",
        "the embedded server", "tapes", "inputs of an app", "status of a turn", "saved notebooks",
        "certificates", "async clients", "node timings", "errors", "light and dark", "exporting", "log messages",
        "users", "renaming", "feedback", "sound", "annotations",
    ),
    "zh-Hans": (
        "超时", "引用", "上传文件", "密钥", "会话", "深色模式", "智能体工具", "价格", "导出", "配置", "代理",
        "notebook 变量", "停止回答", "内置服务器", "录制", "应用的输入", "状态", "保存的 notebook", "证书",
        "异步客户端", "节点耗时", "错误", "浅色与深色", "日志", "用户", "重命名", "反馈", "语音", "标注", "下载文件",
    ),
}  # fmt: skip
SIZES: dict[Language, tuple[int, ...]] = {"en": (2, 3, 4, 6, 12), "zh-Hans": (3, 5, 8)}
"""Items of the lists that the pipeline is sent. Each is really worked through, at some 60 ms an item."""


def threads() -> Iterator[Thread]:
    """All threads, the same at each call."""
    for topic, languages in _GUIDE.items():
        langs: tuple[Language, Language] = ("en", "zh-Hans")
        for lang, several in zip(langs, languages, strict=True):
            for questions in several:
                yield Thread("guide", topic, lang, questions)
    yield from _toolbox()
    yield from _pipeline()


def _toolbox() -> Iterator[Thread]:
    numbers = random.Random(7)
    for _ in range(24):
        a, b, c = numbers.randint(3, 45), numbers.randint(120, 9800), numbers.randint(11, 99)
        hour = numbers.randint(1, 11)
        english = (
            ("calculation", (f"What is {a}% of {b:,}?", f"And {c} * {b}?", f"{b} / {c} please")),
            ("time zones", (f"What is {hour}pm in London in New York?", f"And {hour}am in Tokyo in Berlin?")),
            ("counting", (f'How many words are in "Order {b} was paid in {c} days and came late"?',)),
            ("both", (f"What is {c} squared, and what is {hour}pm in Paris in Shanghai?", f"sqrt({b * b})")),
        )
        chinese = (
            ("calculation", (f"{b}的{a}%是多少？", f"{c}*{b}等于多少？")),
            ("time zones", (f"北京时间下午{hour}点是纽约几点？", f"东京上午{hour}点是柏林几点？")),
            ("counting", (f"“订单{b}已在{c}天内付款”有多少个字？",)),
            ("both", (f"{c}的平方是多少，伦敦下午{hour}点是上海几点？",)),
        )
        for topic, questions in english:
            yield Thread("toolbox", topic, "en", questions)
        for topic, questions in chinese:
            yield Thread("toolbox", topic, "zh-Hans", questions)
    yield Thread("toolbox", "other", "en", ("Write me a poem about spring", "Can you draw?"))
    yield Thread("toolbox", "other", "zh-Hans", ("写一首关于春天的诗", "你会画画吗？"))


def _pipeline() -> Iterator[Thread]:
    order = random.Random(11)
    for lang, words in _LISTS.items():
        for size in SIZES[lang]:
            items = order.sample(words, size)
            comma = ", " if lang == "en" else "、"
            listed = "\n".join(f"- {item}" for item in items) if size > 6 else comma.join(items)
            after = "How do I set a timeout?" if lang == "en" else "怎样设置超时？"
            yield Thread("pipeline", "list", lang, (listed, after))
    yield Thread("pipeline", "lookup", "en", ("Where are runs stored?", "streaming, files, keys"))
    yield Thread("pipeline", "lookup", "zh-Hans", ("运行记录保存在哪里？", "会话、文件、超时"))
