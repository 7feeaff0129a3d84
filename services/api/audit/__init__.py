"""The audit: a search for anything that was lost."""
