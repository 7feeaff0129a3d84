"""The documents table: what the log of events says, and how far it was read."""
