"""By which class a browser finds the place of a form: in a saved output, and in the blocks of a turn."""

from __future__ import annotations

from hashlib import sha256

from ..turn.forms import Form


def form_place(form: Form) -> str:
    """The class of the element that shows the form where nothing is live, and is filled in where something is.

    It is made of the run's and the form's id, which are a server's words, and is harmless whatever these hold.

    >>> form_place(Form(id="1"))
    'dn-kept-form-3f294bcadec5ab2d'
    """
    name = f"{form.workflow_run_id or ''}/{form.id}"
    return f"dn-kept-form-{sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:16]}"
