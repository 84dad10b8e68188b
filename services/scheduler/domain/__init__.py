"""The rules of time coming due and of what counts as done. Standard library only."""
