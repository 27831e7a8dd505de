"""What Dify says: bytes to frames, frames to events, and how each call is written."""
