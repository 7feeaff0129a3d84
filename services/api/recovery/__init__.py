"""What keeps documents from waiting for ever: sweeping, and dead letters."""
