"""The late-fee laws of places, as data files with their sources: read once, used where a property says so."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from services.billing.domain.jurisdictions import Profile, read_profile


@cache
def profiles() -> Mapping[str, Profile]:
    """All profiles by key, in the order of their names."""
    found = {}
    for file in files(__name__).iterdir():
        key, dot, ending = file.name.rpartition(".")
        if dot and ending == "toml":
            found[key] = read_profile(key, tomllib.loads(file.read_text(encoding="utf-8")))
    return dict(sorted(found.items(), key=lambda item: item[1].name))
