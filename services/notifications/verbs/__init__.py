"""The command line of notifications, a file per subject; `cli.py` puts them together."""
