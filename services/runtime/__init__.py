"""The common ground of all services: settings, logs, broker, database, object store, health and metrics."""
