"""What a month counts as, what it earns, and what the reward ledger has to say for it."""
