"""Many questions at once: which cases there are, asking them within bounds, what is kept of them, and their tables."""
