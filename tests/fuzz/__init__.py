"""Hostile input: mutated files through the real sandbox, and nonsense at every door."""
