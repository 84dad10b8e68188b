"""How policies are shown: values as they are typed, and each with the layer that decided it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.billing.domain.lawful_policies import profile_of
from services.billing.domain.policies import BillingPolicy, document_of
from services.billing.domain.policy_book import PolicyBook, PolicyVersion
from services.billing.domain.policy_changes import differences
from services.billing.domain.policy_dates import charges_fees, grace_ends_by, next_due_on
from services.billing.domain.policy_words import in_short
from services.billing.handlers.policies import Located, Planned
from services.billing.jurisdictions import profiles
from services.billing.store.invoices import Invoice
from shared.cli import json_wanted, print_json, print_record, print_table, say, warning


def show_policy(located: Located, book: PolicyBook, on: date) -> None:
    """What holds at a place on a day, and where each value comes from."""
    policy = book.policy(located.place, on)
    origins = book.origins(located.place, on)
    due_on = next_due_on(policy, located.lease, on)
    dates = _dates(policy, due_on)
    if json_wanted():
        print_json(
            {"place": located.name, "on": on, **_ids(located), **dates, "policy": document_of(policy)}
            | {"from": {name: origin and _version_json(origin) for name, origin in origins.items()}}
        )
        return
    print_record({"policy of": located.name, "on": on, **_dates_in_words(policy, due_on)})
    rows = [
        [name, in_short(name, value), _origin(origins[name])] for name, value in document_of(policy).items()
    ]
    print_table(["field", "value", "from"], rows)


def show_issued_terms(invoice: Invoice, terms: BillingPolicy, present: BillingPolicy) -> None:
    """The terms an invoice was issued under, and what would be otherwise today."""
    changed = differences(terms, present)
    dates = _dates(terms, invoice.due_on)
    if json_wanted():
        print_json(
            {"invoice": invoice.number, "issued_on": invoice.issued_on, **dates, "policy": document_of(terms)}
            | {"today_otherwise": {item.name: item.new for item in changed}}
        )
        return
    record = {"terms of": invoice.number, "issued on": invoice.issued_on}
    print_record(record | _dates_in_words(terms, invoice.due_on))
    otherwise = {item.name: in_short(item.name, item.new) for item in changed}
    rows = [
        [name, in_short(name, value), otherwise.get(name, "")] for name, value in document_of(terms).items()
    ]
    print_table(["field", "value", "today otherwise"], rows)


def show_change(located: Located, planned: Planned) -> None:
    """Old -> new, the date grace comes to, and what the change does not reach."""
    change = planned.change
    if json_wanted():
        return
    due_on = next_due_on(change.policy, located.lease, change.effective_on)
    print_record(
        {"policy of": located.name, "effective on": change.effective_on, "version": change.version}
        | _dates_in_words(change.policy, due_on)
    )
    rows = [
        [item.name, in_short(item.name, item.old), "->", in_short(item.name, item.new)]
        for item in change.differences
    ]
    print_table(["field", "old", "", "new"], rows, empty="No value becomes another one by it.")
    _say_limits(planned)


def change_json(located: Located, planned: Planned, *, dry_run: bool) -> dict[str, Any]:
    """The same for machines."""
    change = planned.change
    due_on = next_due_on(change.policy, located.lease, change.effective_on)
    return {
        "place": located.name,
        **_ids(located),
        "effective_on": change.effective_on,
        "version": change.version,
        "repeated": change.repeats,
        "changes": {item.name: {"old": item.old, "new": item.new} for item in change.differences},
        "terms": change.terms,
        **_dates(change.policy, due_on),
        "keeping_their_terms": {"count": planned.keeping.count, "invoices": planned.keeping.numbers},
        "later_versions": [_version_json(item) for item in change.later],
        "overruled_by": [_version_json(item) for item in change.overruled_by],
        "dry_run": dry_run,
    }


def show_history(located: Located, versions: list[PolicyVersion]) -> None:
    """Every version of one layer, and what it changed against the one before."""
    if json_wanted():
        print_json([_version_json(item) | {"terms": item.terms, "reason": item.reason} for item in versions])
        return
    rows: list[list[object]] = []
    before: dict[str, Any] = {}
    for item in versions:
        changes = _changes(before, item.terms)
        rows.append([item.version, item.effective_on, changes, item.reason, item.set_by, item.set_at])
        before = dict(item.terms)
    columns = ["version", "effective on", "change", "reason", "by", "at"]
    print_table(columns, rows, empty=f"No policy was ever set for {located.name}; the defaults hold.")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    said = [
        f"{name}: {in_short(name, before[name])} -> {in_short(name, value)}"
        if name in before
        else f"{name} = {in_short(name, value)}"
        for name, value in after.items()
        if name not in before or before[name] != value
    ]
    return "; ".join([*said, *(f"{name} unset" for name in before if name not in after)]) or "nothing"


def _say_limits(planned: Planned) -> None:
    change, keeping = planned.change, planned.keeping
    if keeping.count:
        more = ", …" if keeping.count > len(keeping.numbers) else ""
        say(
            f"{keeping.count} open invoices keep the terms they were issued under: "
            f"{', '.join(keeping.numbers)}{more}. Reminders follow the policy of the day."
        )
    for item in change.later:
        warning(
            f"From {item.effective_on} on version {item.version} holds, which does not know of this. "
            f"Set it there too, with --effective-on {item.effective_on}."
        )
    if change.overruled_by:
        places = ", ".join(f"{item.scope} {item.scope_id}" for item in change.overruled_by)
        warning(f"Some of this is set otherwise further down, and stays so there: {places}.")


def _dates(policy: BillingPolicy, due_on: date | None) -> dict[str, Any]:
    first = grace_ends_by(policy, due_on, profile_of(policy, profiles())) if due_on else None
    return {"next_due_on": due_on, "first_fee_on": first if charges_fees(policy) else None}


def _dates_in_words(policy: BillingPolicy, due_on: date | None) -> dict[str, Any]:
    if due_on is None:
        return {"first possible fee": "none: no rent is due any more"}
    first = grace_ends_by(policy, due_on, profile_of(policy, profiles()))
    if not charges_fees(policy):
        return {"first possible fee": f"none is set; it would be {first} for rent due {due_on}"}
    return {"first possible fee": f"{first}, for rent due {due_on}"}


def _ids(located: Located) -> dict[str, Any]:
    return {"property_id": located.place.property_id, "lease_id": located.place.lease_id}


def _origin(version: PolicyVersion | None) -> str:
    if version is None:
        return "default"
    return f"{version.scope}, version {version.version} since {version.effective_on}"


def _version_json(version: PolicyVersion) -> dict[str, Any]:
    return {
        "scope": version.scope,
        "scope_id": version.scope_id if version.scope != "portfolio" else None,
        "version": version.version,
        "effective_on": version.effective_on,
        "set_by": version.set_by,
        "set_at": version.set_at,
    }
