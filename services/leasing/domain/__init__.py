"""The rules of leasing. Standard library only."""
