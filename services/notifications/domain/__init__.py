"""The rules of telling people. Standard library only."""
