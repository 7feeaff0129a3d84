"""The log of events: read once per process, kept in a ring, followed by many cursors."""
