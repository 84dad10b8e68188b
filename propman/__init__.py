"""The whole system from above: the root command and everything that spans services."""
