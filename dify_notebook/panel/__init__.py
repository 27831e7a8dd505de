"""The chat panel: a conversation with an app, held by the kernel and shown in the browser."""
