"""`propman rewards policy`: what is granted, and what a balance can be used for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from services.rewards.domain.policies import UnlawfulRedemption, document_of, policy_document
from services.rewards.domain.policy_words import given_in_words, in_words, read_assignments
from services.rewards.handlers.policies import (
    NewPolicy,
    PolicyChange,
    PolicyChangedMeanwhile,
    PropertyUnknown,
)
from services.rewards.handlers.policies import set_policy as keep_policy
from services.rewards.store import CopyStore, PolicyStore
from services.rewards.verbs.database import opened, reading, refuse_unknown_property
from shared.cli import (
    ByOption,
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    date_option,
    id_option,
    json_wanted,
    print_json,
    print_record,
    print_table,
    say,
    service_app,
    signed,
    success,
)
from shared.documents import BadDocument

app = service_app("policy", "What is granted for paying on time or ahead, and what it can be used for.")

OfProperty = Annotated[UUID | None, id_option("--property", help="Of this property.")]
HELP: Final = "See `propman rewards policy set --help`."
FileOption = Annotated[Path | None, typer.Option("--from-file", help="Also what this JSON file says.")]
EffectiveOn = Annotated[
    date | None,
    date_option("--effective-on", help="For months that begin from this day on; by default this month."),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with the version.")]


@app.command("show")
async def show(
    property_id: OfProperty = None,
    on: Annotated[date | None, date_option("--on", help="As it is on this day; by default today.")] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show what holds for the portfolio or at one property.

    \b
    Examples:
      propman rewards policy show
      propman rewards policy show --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with reading() as (connection, today):
        await refuse_unknown_property(connection, property_id)
        book = await PolicyStore(connection).book()
    policy = book.policy(property_id, on or today.at(property_id or UUID(int=0)))
    if json_wanted():
        print_json(policy_document(policy))
    else:
        print_record(in_words(policy))


@app.command("set")
async def set_policy(
    reason: ReasonOption,
    words: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE…", help="What is to hold.")] = None,
    property_id: OfProperty = None,
    effective_on: EffectiveOn = None,
    from_file: FileOption = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Set fields for the whole portfolio or a property, as a new version.

    A month is under the policy of its first day. A property overrules the portfolio, field by field;
    KEY=inherit takes its word back. Streaks are MONTHS:AMOUNT joined by +, prepayments AHEAD:AMOUNT; each may
    end in :every_time, :once_per_streak or :once. The next evaluation posts what is different then.

    \b
    Examples:
      propman rewards policy set streaks=6:50.00+12:120.00 --reason "as in the leases"
      propman rewards policy set prepayments=500.00:10.00 auto_apply=yes --reason "asked for" --dry-run
      propman rewards policy set discount_is_fee=yes redemption=off_ledger --reason "the law there" \
        --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    with _refusals_in_words():
        document = _given(words or [], from_file)
        new = NewPolicy(
            document=document,
            by=signed(by),
            property_id=property_id,
            effective_on=effective_on,
            reason=reason,
        )
        async with opened() as transactions, transactions.command("rewards.policy", dry_run=dry_run) as tx:
            change = await keep_policy(tx, new)
    _report(change, dry_run=dry_run)


@app.command("history")
async def history(property_id: OfProperty = None, as_json: JsonOption = False) -> None:
    r"""Show every version there was, who set it and why.

    \b
    Examples:
      propman rewards policy history
      propman rewards policy history --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with reading() as (connection, _):
        await refuse_unknown_property(connection, property_id)
        book, places = await PolicyStore(connection).book(), await CopyStore(connection).properties()
    versions = [item for item in book.versions if property_id in {None, item.property_id}]
    if json_wanted():
        print_json(
            [
                {
                    "property_id": item.property_id,
                    "version": item.version,
                    "effective_on": item.effective_on,
                    "terms": document_of(item.terms),
                    "reason": item.reason,
                    "set_by": item.set_by,
                    "set_at": item.set_at,
                }
                for item in versions
            ]
        )
        return
    names = {key: place.name for key, place in places.items()}
    print_table(
        ("where", "version", "effective on", "set by", "reason", "terms"),
        [
            (
                names.get(item.property_id, item.property_id) if item.property_id else "everywhere",
                item.version,
                item.effective_on,
                item.set_by,
                item.reason,
                "; ".join(f"{name}: {words}" for name, words in given_in_words(item.terms).items()),
            )
            for item in versions
        ],
        empty="No reward policy was ever set: nothing is granted.",
    )


def _given(words: list[str], from_file: Path | None) -> dict[str, Any]:
    given = (_read_file(from_file) if from_file else {}) | read_assignments(words)
    if not given:
        raise UsageProblem("Nothing is given.", remedy="Give KEY=VALUE or --from-file.")
    return given


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise UsageProblem(f"{path} is not JSON: {problem}.", remedy=HELP) from problem
    if not isinstance(found, dict):
        raise UsageProblem(f"{path} is not one policy: it has to be an object with fields.", remedy=HELP)
    return found


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    """What a policy may not say, as one line that says what to do next."""
    try:
        yield
    except BadDocument as bad:
        raise UsageProblem(f"Nothing was set: {bad}.", remedy=HELP) from bad
    except UnlawfulRedemption as unlawful:
        raise CommandError(f"Refused: {unlawful}.", remedy="Set redemption=off_ledger there.") from unlawful
    except PropertyUnknown as unknown:
        raise UsageProblem(
            f"Rewards knows {unknown}.", remedy="See `propman leasing properties list`."
        ) from unknown
    except PolicyChangedMeanwhile as changed:
        raise CommandError(
            f"Refused: {changed}.", remedy="Look at `propman rewards policy history`, and set it again."
        ) from changed


def _report(change: PolicyChange, *, dry_run: bool) -> None:
    version = change.version
    if json_wanted():
        print_json(
            {
                "property_id": version.property_id,
                "version": version.version,
                "effective_on": version.effective_on,
                "policy": policy_document(change.after),
                "dry_run": dry_run,
            }
        )
    before, after = in_words(change.before), in_words(change.after)
    for name, words in after.items():
        if before[name] != words:
            say(f"{name}: {before[name]} -> {words}")
    where = "everywhere" if version.property_id is None else f"at property {version.property_id}"
    kept = "would be" if dry_run else "is"
    success(f"Version {version.version} {kept} set {where}, for months from {version.effective_on} on.")
