"""`python -m propman`."""

from propman.main import main

main()
