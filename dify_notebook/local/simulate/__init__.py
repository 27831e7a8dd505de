"""What is no part of Dify: other versions' answers, recorded answers, a made-up past, and exports of the database."""

from __future__ import annotations
