"""A proof of knowing a secret without telling it."""

from __future__ import annotations

import hashlib
import hmac


def proof(nonce: str, challenge: str) -> str:
    """What only who knows the nonce can answer to a challenge."""
    return hmac.new(nonce.encode(), challenge.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
