"""Both languages say the same things, with the same places to fill in."""

from __future__ import annotations

import re
import string

import pytest

from dify_notebook.i18n import current_language, sentences, set_language, t


def fields(text: str) -> set[str]:
    return {name.partition("!")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


def test_equal_keys_and_places() -> None:
    english, chinese = sentences("en"), sentences("zh-Hans")
    assert english.keys() == chinese.keys()
    assert {key: fields(text) for key, text in english.items()} == {key: fields(text) for key, text in chinese.items()}


#: Words that Chinese readers of Dify know as they are.
LOANS = {"token", "tokens"}


def test_chinese_is_chinese() -> None:
    """Nothing was left untranslated, but for names, signs and loan words."""
    english = sentences("en")
    same = {
        key: {word for word in re.findall(r"[A-Za-z]{2,}", re.sub(r"\{[^}]*\}", " ", text))} - LOANS
        for key, text in sentences("zh-Hans").items()
        if text == english[key] and " " in text.strip()
    }
    assert {key: words for key, words in same.items() if words} == {}


@pytest.mark.parametrize(
    ("variables", "language"),
    [({"DIFY_NOTEBOOK_LANG": "zh"}, "zh-Hans"), ({"DIFY_NOTEBOOK_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
     ({"LANG": "zh_CN.UTF-8"}, "zh-Hans"), ({"LANG": "de_DE.UTF-8"}, "en")],
)  # fmt: skip
def test_the_environment_chooses(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DIFY_NOTEBOOK_LANG", "LC_ALL", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert current_language() == language


def test_a_choice_comes_first() -> None:
    try:
        set_language("zh-Hans")
        assert "密钥" in t("net.bad_key")
        with pytest.raises(ValueError, match="fr"):
            set_language("fr")  # type: ignore[arg-type]  # a mistake on purpose
    finally:
        set_language(None)
