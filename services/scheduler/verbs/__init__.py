"""The command line of the scheduler, a file per subject; `cli.py` puts them together."""
