"""Timetables of every kind, as they are written down, and what would be announced after downtime."""

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.catch_up import CatchUpRules, newest, plan_catch_up
from services.scheduler.specs import EXAMPLES, InvalidSpec, Spec, notes_on, parse_spec, read_spec
from tests.support.commands import run_propman

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PROPMAN_SHARED", ROOT.parent / "shared"))
VECTORS = SHARED / "vectors" / "schedule_vectors.json"
NEW_YORK = "America/New_York"
FIELDS = {
    *("kind", "expr", "timezone", "dst_gap", "dst_overlap", "anchor", "every_seconds", "start_date"),
    *("every_days", "time", "start_month", "every_months", "day", "overflow"),
}

zones = st.sampled_from(
    ["UTC", NEW_YORK, "Europe/London", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"]
)
times = st.times().map(lambda found: found.replace(second=0, microsecond=0).isoformat("minutes"))
moments = st.datetimes(datetime(2011, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
specs = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("cron"),
            "expr": st.sampled_from(
                ["30 2 * * *", "0 0 L * *", "*/20 * * * *", "15 1,2,3 * * *", "0 0 1 * *"]
            ),
            "timezone": zones,
        },
        optional={
            "dst_gap": st.sampled_from(["transition", "shift", "skip"]),
            "dst_overlap": st.sampled_from(["first", "last", "both"]),
        },
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("interval"),
            "anchor": moments.map(lambda found: found.isoformat()),
            "every_seconds": st.integers(60, 10_000_000),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("calendar_days"),
            "start_date": st.dates(datetime(2010, 1, 1).date(), datetime(2030, 1, 1).date()).map(str),  # noqa: DTZ001
            "every_days": st.integers(1, 400),
            "time": times,
            "timezone": zones,
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("monthly"),
            "start_month": st.dates(datetime(2010, 1, 1).date(), datetime(2030, 1, 1).date()).map(  # noqa: DTZ001
                lambda found: f"{found:%Y-%m}"
            ),
            "every_months": st.integers(1, 30),
            "day": st.one_of(st.integers(1, 31), st.just("last")),
            "time": times,
            "timezone": zones,
        }
    ),
).map(read_spec)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def vectors(*kinds: str) -> list[Any]:
    if not VECTORS.exists():
        reason = pytest.mark.skip(reason="the shared vectors are not on this machine (PROPMAN_SHARED)")
        return [pytest.param({}, id="no-vectors", marks=reason)]
    found = json.loads(VECTORS.read_text(encoding="utf-8"))
    return [pytest.param(vector, id=vector["id"]) for kind in kinds for vector in found[kind]]


def spec_of(vector: dict[str, Any]) -> Spec:
    stated = {name: value for name, value in vector.items() if name in FIELDS}
    if vector.get("kind", "cron") == "cron":
        return read_spec({"kind": "cron", **stated})
    return read_spec(stated)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "vector", vectors("cron", "dst_policy_variants", "interval", "monthly", "calendar_days")
)
def test_every_shared_vector_is_due_when_it_says(vector: dict[str, Any]) -> None:
    spec = spec_of(vector)

    found = spec.upcoming(at(vector["after"]), vector["count"])

    assert found == [at(text) for text in vector["expected"]]
    if "expected_local" in vector:
        assert [moment.astimezone(spec.zone).isoformat() for moment in found] == vector["expected_local"]


@pytest.mark.shared_data
@pytest.mark.parametrize("vector", vectors("catch_up"))
def test_every_shared_catch_up_holds(vector: dict[str, Any]) -> None:
    spec = read_spec({"kind": "cron", "expr": vector["expr"], "timezone": vector["timezone"]})
    rules = CatchUpRules(
        vector["catch_up"],
        timedelta(seconds=vector["catch_up_window_seconds"]),
        vector["catch_up_max"],
        timedelta(seconds=vector["on_time_grace_seconds"]),
    )

    due = spec.due(at(vector["last_handled"]), at(vector["now"]))
    plan = plan_catch_up(due, now=at(vector["now"]), rules=rules)

    assert due == [at(text) for text in vector["due"]]
    wanted = [(at(item["scheduled_for"]), item["coalesced"]) for item in vector["publish"]]
    assert [(item.scheduled_for, item.coalesced) for item in plan.publish] == wanted
    assert [item.scheduled_for for item in plan.missed] == [at(text) for text in vector["record_missed"]]
    assert spec.upcoming(at(vector["now"]), 1) == [at(vector["next_run"])]


@pytest.mark.shared_data
@pytest.mark.parametrize("vector", vectors("cron_reject"))
def test_every_shared_rejection_names_the_expression(vector: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match=r"^expr: "):
        read_spec({"kind": "cron", "expr": vector["expr"], "timezone": "UTC"})


@pytest.mark.shared_data
async def test_every_shared_vector_holds_by_the_commands() -> None:
    wanted = ("cron", "dst_policy_variants", "interval", "monthly", "calendar_days")
    for vector in (parameter.values[0] for parameter in vectors(*wanted) if parameter.id != "no-vectors"):
        document = {name: value for name, value in vector.items() if name in FIELDS}
        spec = json.dumps({"kind": "cron", **document})
        words = ("--spec", spec, "--after", vector["after"], "--count", str(vector["count"]))
        ran = await run_propman("scheduler", "preview", "--json", *words, environment={})
        assert ran.json["expected"] == vector["expected"], vector["id"]
        assert ran.json["expected_local"] == vector.get("expected_local", ran.json["expected_local"])


@pytest.mark.shared_data
@pytest.mark.parametrize("vector", vectors("catch_up"))
async def test_every_shared_catch_up_holds_by_the_command(vector: dict[str, Any]) -> None:
    spec = {"kind": "cron", "expr": vector["expr"], "timezone": vector["timezone"]}
    ran = await run_propman(
        *("scheduler", "catch-up", "--json", "--spec", json.dumps(spec), "--policy", vector["catch_up"]),
        *("--last-handled", vector["last_handled"], "--now", vector["now"]),
        *("--window", str(vector["catch_up_window_seconds"]), "--max", str(vector["catch_up_max"])),
        *("--grace", str(vector["on_time_grace_seconds"])),
        environment={},
    )

    stated = {name: vector[name] for name in ("due", "record_missed", "next_run")}
    assert {name: ran.json[name] for name in stated} == stated
    published = [(one["scheduled_for"], one["coalesced"]) for one in ran.json["publish"]]
    assert published == [(one["scheduled_for"], one["coalesced"]) for one in vector["publish"]]


@pytest.mark.shared_data
@pytest.mark.parametrize("vector", vectors("cron_reject"))
async def test_every_shared_rejection_holds_by_the_command(vector: dict[str, Any]) -> None:
    spec = json.dumps({"kind": "cron", "expr": vector["expr"], "timezone": "UTC"})
    ran = await run_propman(
        "scheduler", "preview", "--spec", spec, "--after", "2026-01-01T00:00:00Z", environment={}
    )

    assert (ran.code, ran.err.startswith("Error: expr: "), ran.err.count("\n")) == (2, True, 1)


@given(spec=specs, moment=moments)
def test_instants_are_strictly_increasing(spec: Spec, moment: datetime) -> None:
    found = [moment, *spec.upcoming(moment, 8)]

    assert all(one < other for one, other in pairwise(found))


@given(spec=specs, moment=moments)
def test_the_newest_instant_before_a_due_one_is_itself(spec: Spec, moment: datetime) -> None:
    due = spec.timetable.after(moment)

    assert newest(spec.timetable, due) == due


@given(spec=specs, moment=moments, cut=st.integers(1, 7))
def test_split_ranges_together_are_the_whole(spec: Spec, moment: datetime, cut: int) -> None:
    whole = spec.upcoming(moment, 8)

    assert spec.due(moment, whole[cut - 1]) + spec.due(whole[cut - 1], whole[-1]) == whole


@given(
    spec=specs,
    moment=moments,
    hours=st.integers(1, 24 * 400),
    policy=st.sampled_from(["latest", "all", "earliest", "skip"]),
)
def test_no_instant_disappears(spec: Spec, moment: datetime, hours: int, policy: Any) -> None:
    due = spec.due(moment, moment + timedelta(hours=hours))[-500:]

    plan = plan_catch_up(due, now=moment + timedelta(hours=hours), rules=CatchUpRules(policy, most=7))

    assert sum(item.coalesced for item in plan.publish) + len(plan.missed) == len(due)


def test_the_newest_speaks_for_those_before_it() -> None:
    due = [at(f"2026-05-01T0{hour}:00:00Z") for hour in range(1, 6)]

    plan = plan_catch_up(due, now=at("2026-05-01T05:20:00Z"), rules=CatchUpRules("latest"))

    assert [(item.scheduled_for, item.coalesced, item.coalesced_from) for item in plan.publish] == [
        (due[-1], 5, due[0])
    ]


def test_a_cap_keeps_the_newest_and_writes_down_the_rest() -> None:
    due = [at(f"2026-05-01T0{hour}:00:00Z") for hour in range(1, 6)]

    plan = plan_catch_up(due, now=at("2026-05-01T05:20:00Z"), rules=CatchUpRules("all", most=2))

    assert [item.scheduled_for for item in plan.publish] == due[3:]
    assert [(item.scheduled_for, item.reason) for item in plan.missed] == [
        (moment, "cap") for moment in due[:3]
    ]


CRON = {"kind": "cron", "expr": "0 0 1 * *", "timezone": "UTC"}
INTERVAL = {"kind": "interval", "anchor": "2026-01-01T00:00:00Z", "every_seconds": 60}
MONTHLY = {
    "kind": "monthly",
    "start_month": "2026-01",
    "every_months": 1,
    "day": 1,
    "time": "09:00",
    "timezone": "UTC",
}
DAYS = {
    "kind": "calendar_days",
    "start_date": "2026-02-01",
    "every_days": 1,
    "time": "09:00",
    "timezone": "UTC",
}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"kind": "lunar"}, "kind"),
        (CRON | {"timezone": None}, "timezone"),
        (CRON | {"timezone": "Mars/Base"}, "timezone"),
        (CRON | {"expr": 5}, "expr"),
        (CRON | {"dst_gap": "jump"}, "dst_gap"),
        (INTERVAL | {"anchor": "2026-01-01T00:00:00"}, "anchor"),
        (INTERVAL | {"every_seconds": 0}, "every_seconds"),
        (INTERVAL | {"every_seconds": True}, "every_seconds"),
        (INTERVAL | {"every_second": 60}, "every_second"),
        (MONTHLY | {"start_month": "2026-13"}, "start_month"),
        (MONTHLY | {"day": 32}, "day"),
        (MONTHLY | {"overflow": "wrap"}, "overflow"),
        (MONTHLY | {"overflow": "skip", "start_month": "2026-02", "every_months": 12, "day": 30}, "day"),
        (DAYS | {"start_date": "2026-02-30"}, "start_date"),
        (DAYS | {"time": "25:00"}, "time"),
        ({"kind": "once", "at": "soon"}, "at"),
        ([], "spec"),
    ],
)
def test_a_mistake_is_named_by_its_field(spec: Any, field: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"^{field}: "):
        parse_spec(json.dumps(spec))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"kind": "cron"}', 'expr: is missing; for example "expr": "0 9 * * *"'),
        (
            '{"kind": "cron", "expr": "0 9 * * *"}',
            'timezone: is missing; for example "timezone": "America/New',
        ),
        ("{}", "kind: is missing; it is one of cron, interval"),
        (
            "{kind: 1}",
            "spec: not JSON: the name of a field is missing, in double quotes (column 2, before 'kind:",
        ),
        ("", "spec: not JSON: it is empty"),
        ("[" * 100_000, "spec: not JSON: it is nested too deeply"),
    ],
)
def test_a_mistake_says_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_spec(text)

    assert str(refused.value).startswith(words)


def test_every_field_that_can_be_missing_has_an_example_that_is_taken() -> None:
    kinds = ("cron", "interval", "calendar_days", "monthly", "once")
    for kind in kinds:
        document: dict[str, Any] = {"kind": kind}
        for _ in range(len(EXAMPLES)):
            try:
                read_spec(document)
            except InvalidSpec as error:
                name = str(error).partition(":")[0]
                document[name] = EXAMPLES[name]
        assert read_spec(document).kind == kind


def test_a_single_instant_comes_once() -> None:
    spec = read_spec({"kind": "once", "at": "2026-09-01T06:00:00Z"})

    assert spec.upcoming(at("2026-08-01T00:00:00Z"), 5) == [at("2026-09-01T06:00:00Z")]
    assert spec.upcoming(at("2026-09-01T06:00:00Z"), 5) == []


def test_notes_say_what_clock_changes_and_short_months_do() -> None:
    gap = read_spec({"kind": "cron", "expr": "30 2 * * *", "timezone": NEW_YORK})
    twice = read_spec({"kind": "cron", "expr": "30 1 * * *", "timezone": NEW_YORK})
    short = read_spec(
        {
            "kind": "monthly",
            "start_month": "2026-01",
            "every_months": 1,
            "day": 31,
            "time": "09:00",
            "timezone": "UTC",
        }
    )

    left_out = read_spec({**gap.document, "dst_gap": "skip"})
    assert notes_on(
        left_out, left_out.upcoming(at("2026-03-07T12:00:00Z"), 2), after=at("2026-03-07T12:00:00Z")
    ) == ["On 2026-03-08 the clock goes forward over the time, and the run is left out."]
    assert "goes forward" in notes_on(gap, gap.upcoming(at("2026-03-07T12:00:00Z"), 1))[0]
    assert (
        "comes twice; this is the first" in notes_on(twice, twice.upcoming(at("2026-10-31T12:00:00Z"), 1))[0]
    )
    assert notes_on(short, short.upcoming(at("2026-02-01T00:00:00Z"), 1)) == [
        "2026-02 has no day 31: its last day is taken."
    ]


async def test_preview_prints_instants_for_machines() -> None:
    spec = '{"kind":"interval","anchor":"2026-01-01T00:00:00Z","every_seconds":600}'
    ran = await run_propman(
        *(
            "scheduler",
            "preview",
            "--json",
            "--spec",
            spec,
            "--after",
            "2026-01-01T00:10:00Z",
            "--count",
            "2",
        ),
        environment={},
    )

    assert ran.code == 0
    assert ran.json["expected"] == ["2026-01-01T00:20:00Z", "2026-01-01T00:30:00Z"]


async def test_a_wrong_spec_is_one_line_and_exit_2() -> None:
    ran = await run_propman(
        *("scheduler", "preview", "--spec", '{"kind":"cron","expr":"60 * * * *","timezone":"UTC"}'),
        *("--after", "2026-01-01T00:00:00Z"),
        environment={},
    )

    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.strip().splitlines()) == 1
    assert ran.err.startswith("Error: expr: ")


async def test_catch_up_prints_what_would_be_announced() -> None:
    ran = await run_propman(
        *("scheduler", "catch-up", "--json", "--policy", "skip"),
        *("--spec", '{"kind":"cron","expr":"0 9 * * *","timezone":"UTC"}'),
        *("--last-handled", "2026-05-01T09:00:00Z", "--now", "2026-05-03T10:00:00Z"),
        environment={},
    )

    assert ran.json == {
        "due": ["2026-05-02T09:00:00Z", "2026-05-03T09:00:00Z"],
        "publish": [],
        "record_missed": ["2026-05-02T09:00:00Z", "2026-05-03T09:00:00Z"],
        "next_run": "2026-05-04T09:00:00Z",
    }


async def test_catching_up_with_more_than_anybody_reads_is_refused() -> None:
    ran = await run_propman(
        *("scheduler", "catch-up", "--spec", json.dumps(INTERVAL | {"every_seconds": 1})),
        *("--last-handled", "2020-01-01T00:00:00Z", "--now", "2026-01-01T05:00:00Z"),
        environment={},
    )

    assert (ran.code, "more than 10,000 instants" in ran.err) == (2, True)


async def test_the_end_of_the_calendar_is_one_line_and_exit_2() -> None:
    spec = {"kind": "calendar_days", "start_date": "9999-12-31", "every_days": 1, "time": "02:30"}
    words = ("--spec", json.dumps(spec | {"timezone": "America/New_York"}), "--after", "9999-12-30T00:00:00Z")
    ran = await run_propman("scheduler", "preview", *words, environment={})

    assert (ran.code, len(ran.err.strip().splitlines())) == (2, 1)
    assert "year 9999" in ran.err
