"""External producers' reports: who sends them, and each of them once."""
