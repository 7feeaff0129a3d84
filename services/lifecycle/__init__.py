"""The life of a document: what was uploaded, its attempts, and how each of them ends."""
