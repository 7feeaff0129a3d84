"""PostgreSQL: connections, tables and their migrations."""
