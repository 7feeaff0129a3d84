"""The archive: the log's entries in the database, to be read from far back, by owner or by document."""
