"""The operator's commands, a file per subject."""
