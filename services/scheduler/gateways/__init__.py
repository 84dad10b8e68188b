"""What the scheduler asks of the outside: the broker, about its queues."""
