"""The log of events: read once per process, kept in a ring, with its older part behind it."""
