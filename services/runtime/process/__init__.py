"""What every process has: settings, logs, health, and tasks that run as long as it does."""
