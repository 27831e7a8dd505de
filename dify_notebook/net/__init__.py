"""The wire itself: the only room that imports httpx."""
