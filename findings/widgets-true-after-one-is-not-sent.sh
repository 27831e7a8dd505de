#!/usr/bin/env bash
# traitlets 5.16.1 (ipywidgets 8.1.9, anywidget 0.11.0): a widget that is given true after 1, or the same names in
# another order, tells the browser nothing, which shows the value before until its page is loaded again.
#
# Expected: a synchronized trait is the same on both sides ("Synchronized state" in ipywidgets' guide to custom widgets).
# What it is there is JSON, in which `true`, `1` and `1.0`, as `0` and `-0.0`, are different texts, and the order of names
# is what a table shows as the order of its columns.
# Seen: traitlets stores the new value and asks by `==` whether anybody is to be told. To Python True == 1 == 1.0, 0.0 ==
# -0.0, and two dicts are equal whatever their order; so it is at any depth. No message goes out, while `get_state`, of
# which a page that is loaded anew is made, has the new value. Of NaN by itself each setting is sent. For arrays traittypes
# compares otherwise (ipython/traitlets#276, #412); for plain values nothing was found. The cure is `send_state(name)`.
#
# Who meets it: whoever hands outputs of a workflow, or arguments of a tool, to a widget as a Dict: a run gives 1, the next
# one true. A view that sends texts, or patches as messages of its own, is not concerned.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check traitlets==5.16.1 ipywidgets==8.1.9 anywidget==0.11.0
env/bin/python -I - <<'END'
import json
from importlib.metadata import version

import anywidget
import comm
import traitlets
from comm.base_comm import BaseComm

sent = []


class Recorded(BaseComm):
    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        if msg_type == "comm_msg" and data["method"] == "update":
            sent.append(data["state"])


comm.create_comm = Recorded


class Outputs(anywidget.AnyWidget):
    _esm = "export default {render() {}}"
    values = traitlets.Dict().tag(sync=True)


CASES = {
    "a text for another": ({"n": "1"}, {"n": "2"}, True),
    "1, then true": ({"n": 1}, {"n": True}, False),
    "1, then 1.0": ({"n": 1}, {"n": 1.0}, False),
    "0.0, then -0.0": ({"n": 0.0}, {"n": -0.0}, False),
    "deep in it": ({"rows": [{"ok": 0}]}, {"rows": [{"ok": False}]}, False),
    "another order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
    "a list, then a tuple": ({"n": [1]}, {"n": (1,)}, True),
}
print(*(f"{name} {version(name)}" for name in ("traitlets", "ipywidgets", "anywidget")), sep=", ")
for name, (first, second, told) in CASES.items():
    widget = Outputs(values=first)
    sent.clear()
    widget.values = second
    texts = [json.dumps(value) for value in (first, second)]
    print(f"{name:20} {texts[0]} -> {texts[1]}: {'sent' if sent else 'not sent'}")
    assert bool(sent) == told, "traitlets has changed"
    assert json.dumps(widget.get_state()["values"]) == texts[1], "what a new page is given has changed"
    widget.send_state("values")
    assert json.dumps(sent[-1]["values"]) == texts[1], "there is no cure"
END
