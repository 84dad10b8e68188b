"""The messages of the system, one module per owning service. Pydantic and the standard library only."""
