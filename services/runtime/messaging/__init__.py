"""RabbitMQ: connections, the topology, publishing, and what becomes of each delivery."""
