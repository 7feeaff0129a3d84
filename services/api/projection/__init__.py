"""The projection of the log of events into the documents table."""
