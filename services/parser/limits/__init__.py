"""The limits on the time of one file: its own, its pages', and those of the engine that stands in."""
