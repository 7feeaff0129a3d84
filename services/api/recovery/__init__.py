"""The recovery of documents that would wait for ever: sweeping, and dead letters."""
