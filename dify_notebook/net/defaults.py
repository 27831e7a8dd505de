"""What a client does unless it is told otherwise."""

#: Requests to a server at once.
CONNECTIONS = 8
#: Seconds that a call may take with all its repetitions.
RETRY_SECONDS = 20.0
