"""The services as they are, but for an embedder that needs no weights and starts in a second."""
