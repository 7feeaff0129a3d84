"""The parser: takes ParseDocument, turns bytes into pages and chunks, and asks for their embedding."""
