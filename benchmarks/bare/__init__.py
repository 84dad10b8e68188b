"""The same durable work on asyncpg and aio-pika alone: no line of ours, so that it shows the bound."""
