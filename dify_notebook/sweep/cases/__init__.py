"""Which cases there are: the apps, what was written, the table, what is the same, and the order."""
