"""Plumbing that two or more services use; never a business rule.

Importing it makes `zoneinfo` read the PyPI `tzdata` package instead of the system's copy, whose
rules may be years old: a wrong rule makes every local due time of a zone wrong by an hour.
"""

import zoneinfo

zoneinfo.reset_tzpath(to=())
