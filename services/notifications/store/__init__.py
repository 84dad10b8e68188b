"""All SQL of notifications: the people, what they are told, and how each delivery goes."""
