"""The rules of billing. Standard library only."""
