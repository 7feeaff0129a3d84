"""What every service stands on: settings, logs, broker, database, object store, health and metrics."""
