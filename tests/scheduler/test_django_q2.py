"""The schedules of a Django-Q2 installation become ours, and nobody is surprised by what is different."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.scheduler.django_q2 import Circumstances, Translation, UnreadableDump, read_dump, translate_all
from services.scheduler.domain.django_q2 import runs_there
from shared.clock import SystemClock, zone
from tests.scheduler.driver import Scheduler, SetClock
from tests.scheduler.test_cli import Shell
from tests.support.databases import TestDatabases

NEW_YORK = "America/New_York"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
INVOICES = "apps.billing.tasks.generate_monthly_invoices"
CALL = "django.core.management.call_command"


def row(**fields: Any) -> dict[str, Any]:
    """A schedule as `dumpdata` writes it."""
    stated = {"name": "Rent", "func": INVOICES, "schedule_type": "M", "repeats": -1}
    return {
        "model": "django_q.schedule",
        "pk": fields.pop("pk", 1),
        "fields": stated | {"next_run": "2026-12-01T05:00:00Z", "args": None, "kwargs": None} | fields,
    }


def translate(**fields: Any) -> Translation:
    given = Circumstances(zone(NEW_YORK), NOW)
    return translate_all(read_dump(json.dumps([row(**fields)])), given)[0]


def spec(**fields: Any) -> dict[str, Any]:
    found = translate(**fields)
    assert found.schedule is not None, found.reason
    return found.schedule.spec


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("O", {"kind": "once", "at": "2026-12-01T05:00:00+00:00"}),
        ("I", {"kind": "interval", "anchor": "2026-12-01T05:00:00+00:00", "every_seconds": 900}),
        ("H", {"kind": "interval", "anchor": "2026-12-01T05:00:00+00:00", "every_seconds": 3_600}),
        ("D", {"kind": "calendar_days", "start_date": "2026-12-01", "every_days": 1, "time": "00:00"}),
        ("W", {"kind": "calendar_days", "start_date": "2026-12-01", "every_days": 7, "time": "00:00"}),
        ("BW", {"kind": "calendar_days", "start_date": "2026-12-01", "every_days": 14, "time": "00:00"}),
        ("M", {"kind": "monthly", "start_month": "2026-12", "every_months": 1, "day": 1, "time": "00:00"}),
        ("BM", {"kind": "monthly", "start_month": "2026-12", "every_months": 2, "day": 1, "time": "00:00"}),
        ("Q", {"kind": "monthly", "start_month": "2026-12", "every_months": 3, "day": 1, "time": "00:00"}),
        ("Y", {"kind": "monthly", "start_month": "2026-12", "every_months": 12, "day": 1, "time": "00:00"}),
        ("C", {"kind": "cron", "expr": "0 9 * * 1"}),
    ],
)
def test_every_type_of_schedule_has_its_kind(kind: str, expected: dict[str, Any]) -> None:
    found = spec(schedule_type=kind, minutes=15, cron="0 9 * * 1")

    assert found == expected | ({"timezone": NEW_YORK} if expected["kind"] != "interval" else {})


@pytest.mark.parametrize(
    ("func", "args", "kwargs", "trigger", "payload"),
    [
        (INVOICES, None, "month='2026-12'", "monthly_billing_due", {"period": "2026-12"}),
        ("x.apply_late_fees", None, "", "late_fees_due", {}),
        ("x.send_payment_reminders", "", "days_before=3", "payment_reminders_due", {"days_before": 3}),
        (CALL, "('apply_late_fees',)", "{}", "late_fees_due", {}),
        (
            CALL,
            "('send_payment_reminders',)",
            "{'days_before': 3, 'days_after': 7}",
            "payment_reminders_due",
            {"days_before": 3, "days_after": 7},
        ),
        ("x.check_weather_alerts", None, None, "weather_check_due", {}),
        ("x.expire_signing_links", None, "days=7", "signing_link_expiry_due", {"days": 7}),
        (
            CALL,
            "'cleanup_old_tasks', '--days', '60', '--failures-only'",
            None,
            "cleanup_due",
            {"older_than_days": 60, "failures_only": True},
        ),
    ],
)
def test_a_command_of_before_is_a_trigger_now(
    func: str, args: str | None, kwargs: str | None, trigger: str, payload: dict[str, Any]
) -> None:
    found = translate(func=func, args=args, kwargs=kwargs)

    assert found.schedule is not None, found.reason
    assert (found.schedule.trigger, found.schedule.payload) == (f"scheduler.{trigger}.v1", payload)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"func": "apps.reports.tasks.yearly"}, "yearly is none of Propman's: make it a handler"),
        ({"func": "x.send_notification"}, "propman notifications send-notification"),
        ({"func": "x.seed_dev_data"}, "propman seed-dev-data"),
        ({"args": "7"}, "was given 7 without a name"),
        ({"kwargs": "month=__import__('os').getcwd()"}, "are no plain values"),
        ({"kwargs": "{'month': open('x')}"}, "are no plain values"),
        ({"kwargs": "property=7"}, "is a number of the old database"),
        ({"kwargs": "month='soon'"}, "period: "),
        ({"kwargs": "colour='red'"}, "has no field colour"),
        ({"kwargs": "dry_run=True"}, "it only looked"),
        ({"schedule_type": "C", "cron": "0 0 9 * * *"}, "6 fields; five are needed"),
        ({"schedule_type": "O", "next_run": "2020-01-01T00:00:00Z"}, "it would never be due"),
        ({"next_run": None}, "has no next_run"),
        ({"next_run": "soon"}, "is no moment"),
        ({"schedule_type": "X"}, "no type of schedule"),
        ({"repeats": "many"}, "which is no number"),
        ({"schedule_type": "I", "minutes": "few"}, "which is no number"),
    ],
)
def test_what_has_no_counterpart_is_left_out_with_what_to_do(fields: dict[str, Any], reason: str) -> None:
    found = translate(**fields)

    assert found.schedule is None
    assert reason in str(found.reason)


def test_a_month_s_last_day_says_that_django_q2_had_lost_it() -> None:
    found = translate(next_run="2026-12-31T05:00:00Z")

    said = "\n".join(found.differences)
    assert (
        "Django-Q2 would drift, to 2027-03-28 00:00 and for good; here that run is at 2027-03-31 00:00"
        in said
    )
    assert "it is on day 31" in said


def test_what_would_run_at_the_same_moments_says_no_drift() -> None:
    assert not [text for text in translate().differences if "drift" in text]


def test_a_daily_run_that_the_clock_skipped_once_drifted_for_ever() -> None:
    found = runs_there("D", datetime(2026, 3, 7, 7, 30, tzinfo=UTC), zone(NEW_YORK), count=4)

    local = [f"{moment.astimezone(zone(NEW_YORK)):%d %H:%M}" for moment in found]
    assert local == ["07 02:30", "08 01:30", "09 01:30", "10 01:30"]


def test_the_29th_of_february_was_the_28th_for_ever() -> None:
    found = runs_there("Y", datetime(2024, 2, 29, 12, tzinfo=UTC), zone("UTC"), count=6)

    assert [f"{moment:%Y-%m-%d}" for moment in found][-2:] == ["2028-02-28", "2029-02-28"]


def test_repeats_hooks_clusters_and_zoneless_times_are_told() -> None:
    found = translate(
        repeats=5, hook="x.done", cluster="slow", intended_date_kwarg="day", next_run="2026-12-01T00:00:00"
    )

    assert found.schedule is not None
    assert (found.schedule.rules.max_runs, found.schedule.spec["time"]) == (5, "00:00")
    said = "\n".join(found.differences)
    for words in (
        "TriggerOutcome",
        "its cluster slow",
        "`as_of`",
        "says no zone: it was read as America/New_York",
    ):
        assert words in said


def test_what_had_no_repeats_left_is_paused() -> None:
    found = translate(repeats=0)

    assert found.schedule is not None
    assert (found.schedule.state, found.schedule.paused_by) == ("paused", "import")


def test_two_of_one_name_keep_apart() -> None:
    given = Circumstances(zone(NEW_YORK), NOW)

    found = translate_all(read_dump(json.dumps([row(), row(pk=2), row(pk=3, name=None)])), given)

    assert [item.key for item in found] == ["rent", "rent-2", "generate-monthly-invoices"]


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[]", '[{"model": "auth.user", "fields": {}}]', "[1]"])
def test_a_file_that_is_no_dump_is_refused(text: str) -> None:
    with pytest.raises(UnreadableDump, match=r"as a dump is|there is no|JSON"):
        read_dump(text)


@pytest.fixture
async def clock() -> SetClock:
    return SetClock(SystemClock().now())


@pytest.fixture
async def shell(scheduler: Scheduler, databases: TestDatabases) -> Shell:
    return Shell(await databases.url("scheduler"))


@pytest.mark.servers
async def test_an_import_shows_adds_and_a_second_one_changes_nothing(
    shell: Shell, scheduler: Scheduler, clock: SetClock, tmp_path: Path
) -> None:
    later = (clock.now() + timedelta(days=3)).isoformat()
    dump = tmp_path / "schedules.json"
    dump.write_text(json.dumps([row(next_run=later), row(pk=2, name="Mine", func="x.mine")]))
    command = ("scheduler", "import-django-q2", str(dump), "--zone", NEW_YORK)

    _, dry = await shell.run(*command, "--dry-run", exit_code=1)
    out, err = await shell.run(*command, exit_code=1)
    again, _ = await shell.run(*command, "--json", exit_code=1)

    assert "nothing was imported; 1 would be" in dry
    assert "monthly-billing-due" in out
    assert "1 imported, 0 there already." in err
    assert "1 without a counterpart: mine" in err
    assert [item["import"] for item in json.loads(again)] == ["there already", "left out"]
    assert (await scheduler.schedule("rent")).spec["kind"] == "monthly"
    assert len(json.loads((await shell.run("scheduler", "list", "--json"))[0])) == 1


@pytest.mark.servers
async def test_a_zone_that_nobody_knows_is_said_of_the_zone_and_not_of_the_file(
    shell: Shell, tmp_path: Path
) -> None:
    dump = tmp_path / "schedules.json"
    for content in (json.dumps([row()]), '{"no": "list"}'):
        dump.write_text(content)

        _, err = await shell.run("scheduler", "import-django-q2", str(dump), "--zone", "Mars", exit_code=2)

        assert err.startswith("Error: --zone: 'Mars' is not an IANA time zone")


@pytest.mark.servers
@pytest.mark.parametrize("content", [None, "no json", '{"no": "list"}'])
async def test_an_unreadable_file_is_one_line(shell: Shell, tmp_path: Path, content: str | None) -> None:
    dump = tmp_path / "schedules.json"
    if content is not None:
        dump.write_text(content)

    _, err = await shell.run("scheduler", "import-django-q2", str(dump), exit_code=2)

    assert len(err.strip().splitlines()) == 1
