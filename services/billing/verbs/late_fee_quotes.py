"""`propman billing quote-late-fee`: what would be charged, for terms that are stored nowhere."""

from datetime import date
from typing import Any, Final

from services.billing.domain.fee_explaining import explain
from services.billing.domain.jurisdictions import Profile, UnlawfulPolicy, chosen, refuse_unlawful
from services.billing.domain.late_fees import Assessment, assess
from services.billing.domain.late_terms import Case, take_case
from services.billing.jurisdictions import profiles
from services.billing.verbs.documents import read_json
from services.billing.verbs.quotes import TermsOption
from shared.cli import App, CommandError, JsonOption, UsageProblem, print_json, print_record, print_table
from shared.documents import BadDocument, Fields, day, read_document
from shared.money import format_cents

GUIDE: Final = "docs/guides/late-fees.md"


def add_to(app: App) -> None:
    """Give billing's app its command."""
    app.command()(quote_late_fee)


def quote_late_fee(terms: TermsOption, as_json: JsonOption = False) -> None:
    r"""Say what late fee and interest terms come to on a date, and why. Nothing is read or stored.

    The terms are a JSON document: due_on, rent_cents and rules, and whatever else is agreed. Without `on`
    it is asked for the first day on which a fee is possible. docs/guides/late-fees.md explains every
    field with an example.

    \b
    Examples:
      propman billing quote-late-fee --terms terms.json
      echo '{"due_on": "2025-03-01", "grace_days": 5, "rent_cents": 100000,
             "rules": [{"kind": "flat", "amount_cents": 5000}]}' |
        propman billing quote-late-fee --json --terms -
    """
    try:
        case, on, profile = read_document(read_json(terms, "The terms"), _take_quote)
    except BadDocument as error:
        raise UsageProblem(f"The terms cannot be used: {error}.", remedy=f"See {GUIDE}.") from error
    if profile is not None and case.terms.policy.profile_mode == "refuse":
        try:
            refuse_unlawful(profile, case.terms)
        except UnlawfulPolicy as refusal:
            raise CommandError(f"{refusal}.") from refusal
    found = assess(case, on or _first_day(case, profile), profile)
    if as_json:
        print_json(_answer(case, found, profile))
    else:
        _show(case, found, profile)


def _take_quote(fields: Fields) -> tuple[Case, date | None, Profile | None]:
    case = take_case(fields)
    name = case.terms.policy.profile
    profile = chosen(profiles(), name) if name else None
    if name and profile is None:
        fields.mistake(fields.at("profile"), f"{name!r} is none of {', '.join(profiles())}")
    return case, fields.take("on", day, None), profile


def _first_day(case: Case, profile: Profile | None) -> date:
    return assess(case, case.terms.due_on, profile).first_fee_on or case.terms.due_on


def _answer(case: Case, found: Assessment, profile: Profile | None) -> dict[str, Any]:
    return {
        "first_fee_on": found.first_fee_on,
        "fees": [
            {
                "on": entry.on,
                "kind": entry.kind,
                "amount_cents": entry.amount_cents,
                "formula": entry.formula,
            }
            for entry in found.entries
        ],
        "total_fee_cents": found.total_fee_cents,
        "interest_cents": found.interest_cents,
        "capped_by": found.capped_by,
        "explain": explain(case, found, profile),
    }


def _show(case: Case, found: Assessment, profile: Profile | None) -> None:
    money = case.terms.currency
    print_record(
        {
            "on": found.on,
            "first possible fee": found.first_fee_on,
            "late fees": format_cents(found.total_fee_cents, money),
            "interest": format_cents(found.interest_cents, money),
            "limited by": found.capped_by,
        }
    )
    rows = [
        [entry.on, entry.kind, format_cents(entry.amount_cents, money), entry.formula]
        for entry in found.entries
    ]
    print_table(["on", "kind", "amount", "formula"], rows, empty="No fee.")
    print_table(["why"], [[line] for line in explain(case, found, profile)])
