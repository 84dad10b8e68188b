"""What an operator sees of the whole system, and the few things they do to it as a whole."""
