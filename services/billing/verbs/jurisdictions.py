"""`propman billing jurisdictions`: the late-fee laws there are profiles of."""

from typing import Annotated, Any

import typer

from services.billing.domain.fee_caps import cap_document, in_words
from services.billing.domain.jurisdictions import Profile, chosen
from services.billing.jurisdictions import profiles
from shared.cli import JsonOption, UsageProblem, print_json, print_record, print_table, service_app

app = service_app("jurisdictions", "The late-fee laws of places, with their sources; off unless chosen.")


@app.command("list")
def list_jurisdictions(as_json: JsonOption = False) -> None:
    r"""List the places: the last day without a fee, the cap, and where that is written.

    \b
    Example:
      propman billing jurisdictions list
    """
    if as_json:
        print_json([_document(profile) for profile in profiles().values()])
        return
    rows = [
        [profile.key, _free(profile), _cap(profile), profile.effective_on, profile.citation]
        for profile in profiles().values()
    ]
    print_table(["jurisdiction", "free of a fee", "cap", "since", "citation"], rows)


@app.command("show")
def show_jurisdiction(
    name: Annotated[str, typer.Argument(help="Its key, name or abbreviation: new_york, New York, NY.")],
    as_json: JsonOption = False,
) -> None:
    r"""Show one place: what it allows, its citation, its source, since when, and what a machine cannot check.

    \b
    Example:
      propman billing jurisdictions show NY
    """
    profile = chosen(profiles(), name)
    if profile is None:
        known = ", ".join(profiles())
        raise UsageProblem(f"There is no profile of {name!r}.", remedy=f"There are: {known}.")
    if as_json:
        print_json(_document(profile))
        return
    print_record(
        {
            "jurisdiction": profile.key,
            "name": profile.name,
            "free of a fee": _free(profile),
            "cap": _cap(profile),
            "besides": "; ".join(_besides(profile)) or None,
            "citation": profile.citation,
            "source": profile.source,
            "evidence": profile.evidence,
            "since": profile.effective_on,
            "known by": profile.effective_basis,
        }
    )
    print_table(["notes"], [[note] for note in profile.notes], empty="No notes.")


def _free(profile: Profile) -> str:
    anchor = "the due date" if profile.free_from == "due_date" else "the first day of the rental period"
    if not profile.free_days:
        return anchor
    return f"{profile.free_days} days after {anchor}"


def _cap(profile: Profile) -> str | None:
    caps = [f"{in_words(item.cap)} (up to {item.up_to_units} units)" for item in profile.caps_by_units] + (
        [in_words(profile.cap)] if profile.cap else []
    )
    return "; otherwise ".join(caps) or None


def _besides(profile: Profile) -> list[str]:
    found = {
        "one fee for each late payment": profile.once,
        "what accrues by days counts as that one": profile.daily_counts_as_one,
        "one kind of fee only": profile.one_rule,
        "nothing after the rental period": profile.within_period,
        "payments go to rent first": profile.rent_first,
    }
    return [words for words, holds in found.items() if holds]


def _document(profile: Profile) -> dict[str, Any]:
    """A profile as its data file has it, so that programs may read the one or the other."""
    plain = {
        name: getattr(profile, name)
        for name in Profile.__dataclass_fields__
        if name not in {"cap", "caps_by_units"}
    }
    return plain | {
        "cap": cap_document(profile.cap) if profile.cap else None,
        "caps_by_units": [
            {"up_to_units": item.up_to_units, "cap": cap_document(item.cap)} for item in profile.caps_by_units
        ],
    }
