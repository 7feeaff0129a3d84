"""Documents: uploaded, read, deleted."""
