"""The command line of billing, a file per subject; `cli.py` puts them together."""
