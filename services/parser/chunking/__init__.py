"""From blocks to chunks, each with the context that is embedded before it."""
