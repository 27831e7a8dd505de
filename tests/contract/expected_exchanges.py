"""What a person expects of every recorded exchange that sends no message and no run: the reviewed table.

Ids, times, counts and lengths were tabulated from the bytes by a throwaway script that shares
nothing with the package; then every line was read against its recording, and what counting does
not understand was judged: which operation makes the request, what a value means, what kind of
error an answer is. A line that looks odd has its reason in a comment above it.

How the less plain ones were judged:

* A line has no `call` where the client cannot or does not make the request: it always names its
  user, always has a body where there is one to have, leaves out what is not given, and refuses what
  the documents rule out (`refuses`). Such a line tells what the answer would be all the same, so that
  servers that begin to answer in that way are understood.
* An id that is not a UUID is the caller's own text and is sent as it is. So are a name that is too
  long, a text to speak that is empty, and a value for a variable that does not fit: the documents
  give no rule, and the servers differ.
* A name of nothing but blanks counts as no name, although 0.15.3 takes it.
* An HTML page instead of JSON is no answer of Dify's: it has no code. 404 stays NotFoundError: it is
  also how Dify says that a version has no such route, or that an id in the path is no UUID.
* 401 and 403 are for the key, 404 for what is not there, 429 for too much, 500 and above for the
  server; everything else is something to mend in the request (APIError), 413 and 415 included.
* 200 with `null` where sound was asked for is an APIError, see `expected_files.py`.
* The text of a conversation variable is read by its type: number and string say themselves what
  they are, lists and objects come in Python's notation.
* A job that failed, a message that failed or waits for a person, and an empty page are values.
* Where the server repeats the token of a form in its words, nothing that is told of the error has it.
"""

from __future__ import annotations

from contract.expected_1_16 import OF_1_16
from contract.expected_apps import APPS
from contract.expected_changes import CHANGES
from contract.expected_files import FILES
from contract.expected_history import HISTORY
from contract.expected_kept_runs import KEPT_RUNS
from contract.expected_lists import LISTS
from contract.expected_other_apps import OTHER_APPS
from contract.expected_outcomes import Expected
from contract.expected_workflow_calls import WORKFLOW_CALLS
from contract.expected_workflow_logs import WORKFLOW_LOGS

TABLE = [
    *LISTS, *CHANGES, *FILES, *APPS, *HISTORY, *OF_1_16, *WORKFLOW_CALLS, *WORKFLOW_LOGS, *KEPT_RUNS, *OTHER_APPS,
]  # fmt: skip

EXPECTED: dict[str, Expected] = {row.case: row for row in TABLE}
