"""RabbitMQ: connections, the topology, publishing and acknowledging."""
