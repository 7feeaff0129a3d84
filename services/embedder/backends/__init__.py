"""Implementations of the embedding model."""
