"""Signed URLs for uploads: who has one may read that one file for a while, without a key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import urlencode

LIFETIME = 300
"""Seconds for which a URL is good, as on a Dify of its own."""


class Signer:
    """Makes and checks the signed URLs of one server."""

    def __init__(self, secret: str, origin: str) -> None:
        self._secret = secret.encode()
        self.origin = origin
        """Scheme, host and port of this server, without a slash at the end."""

    def for_origin(self, origin: str) -> Signer:
        """The same for another name of this server."""
        return self if origin == self.origin else Signer(self._secret.decode(), origin)

    def url(self, file: str) -> str:
        """A fresh URL for an upload."""
        now, nonce = str(int(time.time())), secrets.token_hex(16)
        query = urlencode({"timestamp": now, "nonce": nonce, "sign": self._sign(file, now, nonce)})
        return f"{self.origin}/files/{file}/file-preview?{query}"

    def verify(self, file: str, timestamp: str, nonce: str, signature: str) -> bool:
        """Whether a URL is ours and not too old."""
        if not hmac.compare_digest(
            self._sign(file, timestamp, nonce).encode(), signature.encode("utf-8", "replace")
        ):
            return False
        return 0 <= time.time() - int(timestamp) + 1 <= LIFETIME + 1

    def _sign(self, file: str, timestamp: str, nonce: str) -> str:
        text = f"file-preview|{file}|{timestamp}|{nonce}".encode("utf-8", "replace")
        return base64.urlsafe_b64encode(hmac.new(self._secret, text, hashlib.sha256).digest()).decode()
