"""What a sweep came to, as tables and to be looked at."""
