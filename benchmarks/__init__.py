"""Throughput on this machine, each number beside what a bare script reaches with the same durable work."""
