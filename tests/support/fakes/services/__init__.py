"""Stand-ins for the three services: they answer on the ports they are told, and log a line."""
