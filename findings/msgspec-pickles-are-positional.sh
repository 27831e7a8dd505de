#!/usr/bin/env bash
# msgspec 0.23.0: a pickle of a Struct has its fields' values by position, and nothing checks where they land.
#
# Expected: by name, as the pickle of a dataclass or of a class without `__reduce__`, and as msgspec's own "Schema
# Evolution" has it: fields may be moved, and new ones with a default may be added. That page excepts only
# `array_like=True`, whose encoded form is an array.
# Seen: the pickle calls the class with the values in order. After two fields changed places each has the other's value;
# a new field, even the only one with a default and of type int, takes the text of the one behind it. A base class that
# gains a field moves all fields of its subclasses. Unpickling checks no types, so all this is silent; encoded, the
# wrong value goes on. With kw_only=True values go by name, and both changes are harmless; only then can a pickle that
# was made by position no longer be read: TypeError ("Extra positional arguments provided"). Attributes beside the
# fields, which `dict=True` allows, are in no pickle, and neither in copy.copy nor msgspec.structs.replace.
#
# Who meets it: who keeps pickles of structs for a later version, in caches, in joblib or by `%store`, or sends them
# between processes of two versions. The cure is kw_only=True from the first version on, in every class of the line,
# since it is not inherited (msgspec/msgspec#841); for what exists, new fields at the end of the last subclass.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check msgspec==0.23.0
env/bin/python -I - <<'END'
import copy
import dataclasses
import pickle

import msgspec

STRUCT = """
class Base(msgspec.Struct{options}):
    id: str
{base}
class Note(Base{options}):
{fields}"""
DATACLASS = """
@dataclasses.dataclass
class Base:
    id: str
{base}
@dataclasses.dataclass
class Note(Base):
{fields}"""
BEFORE = ("", ("question: str", 'answer: str = ""'))
NAMES = ("id", "time", "tokens", "question", "answer")
AFTER = {
    "moved": ("", ("answer: str", 'question: str = ""')),
    "added": ("", ("tokens: int = 0", 'question: str = ""', 'answer: str = ""')),
    "base": ("    time: int = 0\n", ('question: str = ""', 'answer: str = ""')),
}


def define(text, version, **words):
    base, fields = version
    exec(text.format(base=base, fields="".join(f"    {field}\n" for field in fields), **words), globals())


def values(note):
    return {name: getattr(note, name) for name in NAMES if hasattr(note, name)}


FORMS = {
    "dataclass": (DATACLASS, {}),
    "struct, kw_only": (STRUCT, {"options": ", kw_only=True"}),
    "struct": (STRUCT, {"options": ""}),
}
seen = {}
print("msgspec", msgspec.__version__)
for form, (text, words) in FORMS.items():
    for change, version in AFTER.items():
        define(text, BEFORE, **words)
        stored = pickle.dumps(Note(id="n1", question="Why?", answer="So."))
        define(text, version, **words)
        seen[form, change] = values(pickle.loads(stored))
        print(f"{form:16} {change:6} {seen[form, change]}")

good = {"id": "n1", "question": "Why?", "answer": "So."}
for form in ("dataclass", "struct, kw_only"):
    assert seen[form, "moved"] == good
    assert seen[form, "added"] == {**good, "tokens": 0}
    assert seen[form, "base"] == {**good, "time": 0}
assert seen["struct", "moved"] == {"id": "n1", "question": "So.", "answer": "Why?"}, "msgspec has changed"
assert seen["struct", "added"] == {"id": "n1", "tokens": "Why?", "question": "So.", "answer": ""}, "msgspec has changed"
assert seen["struct", "base"] == {"id": "n1", "time": "Why?", "question": "So.", "answer": ""}, "msgspec has changed"
print("encoded", msgspec.json.encode(pickle.loads(stored)).decode())

define(STRUCT, BEFORE, options="")
stored = pickle.dumps(Note("n1", "Why?", "So."))
define(STRUCT, BEFORE, options=", kw_only=True")
try:
    print(pickle.loads(stored))
    raise SystemExit("msgspec has changed")
except TypeError as problem:
    print("by position, read by name:", problem)


class Open(msgspec.Struct, dict=True):
    id: str


note = Open("n1")
note.more = 1
for way in (lambda struct: pickle.loads(pickle.dumps(struct)), copy.copy, msgspec.structs.replace):
    print("dict=True:", vars(note), "then", vars(way(note)))
    assert vars(way(note)) == {}, "msgspec has changed"
END
