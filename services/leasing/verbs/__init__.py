"""The command line of leasing, a file per noun; `cli.py` puts them together."""
