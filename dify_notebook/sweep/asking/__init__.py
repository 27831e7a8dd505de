"""Asking cases: what begins when, one case from its first message to its end, and how it is written down."""
