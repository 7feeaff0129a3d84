"""The parts of every process: settings, logs, health, and tasks that run as long as it does."""
