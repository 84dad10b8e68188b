"""How services talk: contracts over RabbitMQ, one transaction per message, nothing lost, nothing twice."""
