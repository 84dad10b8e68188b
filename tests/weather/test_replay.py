"""`propman weather replay`: recorded answers through the real rules, without network or database."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.weather.domain.polls import Poll, read_poll
from services.weather.domain.replay import Replay, replay
from tests.support.commands import Ran, run_propman
from tests.weather.nws import NOON, SIX, answer, feature, hours, minutes, vtec

TORNADO = "nws_alerts_point_history_tornado_watch_new_update_cancel"
HEAT = "nws_alerts_active_20260715_heat_subset"
WINTER = "nws_alerts_active_20251215_wind_winter_subset"


def told(found: Replay) -> list[tuple[int, str, str, str | None]]:
    return [(e["poll"], e["type"], e["zone"], e.get("reason")) for e in found.events]


def tornado_watch(recorded: Callable[[str], Any]) -> list[Poll]:
    """The chain of the watch, a poll for each of its messages."""
    document = recorded(TORNADO)
    chain = [item for item in document["features"] if item["properties"]["event"] == "Tornado Watch"]
    return [
        read_poll(document | {"features": [item], "updated": item["properties"]["sent"]})
        for item in reversed(chain)
    ]


@pytest.mark.shared_data
def test_the_recorded_tornado_watch_is_raised_goes_on_in_silence_and_is_cancelled(
    recorded: Callable[[str], Any],
) -> None:
    found = replay(tornado_watch(recorded), zone="ALC129")

    assert told(found) == [(0, "raised", "ALC129", None), (2, "cleared", "ALC129", "cancelled")]
    assert {event["key"] for event in found.events} == {"nws:KMOB.TO.A.0641.2025"}
    assert {event["level"] for event in found.events} == {"watch"}


@pytest.mark.shared_data
def test_the_partial_cancellation_of_the_watch_leaves_the_other_counties_open(
    recorded: Callable[[str], Any],
) -> None:
    found = replay(tornado_watch(recorded), every_zone=True)

    raised = {zone for _, kind, zone, _ in told(found) if kind == "raised"}
    cleared = {zone: reason for _, kind, zone, reason in told(found) if kind == "cleared"}
    assert len(raised) == 11
    # Four counties left the watch when it was continued for seven, and Washington County was cancelled.
    assert Counter(cleared.values()) == {"expired": 4, "cancelled": 1}
    assert {item["zone"] for item in found.open} == raised - set(cleared)


@pytest.mark.shared_data
def test_the_whole_history_in_one_answer_comes_to_the_same(recorded: Callable[[str], Any]) -> None:
    found = replay([read_poll(recorded(TORNADO))])

    assert told(found) == [(0, "raised", "point", None), (0, "cleared", "point", "cancelled")]
    assert {item["why"] for item in found.ignored} == {"phenomenon FG is not one we warn of"}


@pytest.mark.shared_data
def test_the_recorded_downgrade_of_heat_gives_no_all_clear(recorded: Callable[[str], Any]) -> None:
    document = recorded(HEAT)
    warned = [
        item
        for item in document["features"]
        if item["properties"]["parameters"].get("VTEC")
        == ["/O.CAN.KMPX.XH.W.0002.000000T0000Z-260717T0200Z/"]
    ]
    before = json.loads(
        json.dumps(warned)
        .replace("O.CAN.", "O.NEW.")
        .replace("AllClear", "Execute")
        .replace('"Past"', '"Expected"')
    )
    for item in before:
        item["properties"]["sent"] = "2026-07-15T06:00:00-05:00"
    polls = [
        read_poll(document | {"features": before, "updated": "2026-07-15T12:00:00+00:00"}),
        read_poll(document),
    ]

    found = replay(polls, every_zone=True)

    zones = set(warned[0]["properties"]["geocode"]["UGC"])
    here = [event for event in found.events if event["zone"] in zones]
    assert Counter((e["poll"], e["type"], e["key"]) for e in here) == {
        (0, "raised", "nws:KMPX.XH.W.0002.2026"): 8,
        (1, "raised", "nws:KMPX.HT.Y.0003.2026"): 8,
    }
    assert all(event["type"] != "cleared" for event in found.events)


@pytest.mark.shared_data
def test_a_cancellation_in_the_first_answer_is_neither_raised_nor_cleared(
    recorded: Callable[[str], Any],
) -> None:
    found = replay([read_poll(recorded(HEAT))], every_zone=True)

    assert all(event["type"] == "raised" for event in found.events)
    assert sum(item["why"] == "it ends nothing that is open here" for item in found.ignored) == 2
    extended = {"nws:KMPX.XH.W.0002.2026", "nws:KFGF.HT.Y.0004.2026"}
    assert extended <= {event["key"] for event in found.events}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", [HEAT, WINTER, TORNADO])
def test_the_same_answer_twice_adds_no_event(name: str, recorded: Callable[[str], Any]) -> None:
    poll = read_poll(recorded(name))

    once, often = replay([poll], every_zone=True), replay([poll] * 4, every_zone=True)

    assert often.events == once.events
    assert often.open == once.open
    assert len({(event["zone"], event["key"], event["type"]) for event in once.events}) == len(once.events)


@pytest.mark.shared_data
def test_answers_that_are_none_or_old_clear_nothing(recorded: Callable[[str], Any]) -> None:
    full, empty = read_poll(recorded(WINTER)), read_poll(answer(updated=NOON - hours(24 * 365)))

    found = replay([full, None, empty, empty, empty, None], every_zone=True)

    assert {event["type"] for event in found.events} == {"raised"}
    assert len(found.open) == len(found.events)


def test_without_a_given_moment_it_is_when_each_answer_was_updated() -> None:
    polls = [answer(feature()), answer(updated=NOON + minutes(3)), answer(updated=NOON + minutes(6))]

    found = replay([read_poll(item) for item in polls])

    assert told(found) == [(0, "raised", "point", None), (2, "cleared", "point", "expired")]


def test_with_a_given_moment_what_is_over_by_then_is_ignored() -> None:
    found = replay([read_poll(answer(feature()))], now=SIX + minutes(1))

    assert found.events == []
    assert found.ignored == [
        {"id": feature()["properties"]["id"], "why": f"it was over at {SIX.isoformat()}"}
    ]


def test_a_message_for_other_zones_is_named_with_its_reason() -> None:
    found = replay([read_poll(answer(feature()))], zone="NYZ099")

    assert [item["why"] for item in found.ignored] == ["it does not name NYZ099"]


async def replayed(folder: Path, *documents: Any, words: tuple[str, ...] = ("--json",)) -> Ran:
    files = []
    for number, document in enumerate(documents):
        file = folder / f"{number}.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        files.append(str(file))
    return await run_propman("weather", "replay", *words, *files, environment={})


async def test_the_command_prints_events_what_is_open_and_what_was_ignored(tmp_path: Path) -> None:
    cancelled = feature(code=vtec("CAN"), sent=NOON + minutes(3))

    ran = await replayed(
        tmp_path, answer(feature()), answer(cancelled, feature(status="Test"), updated=NOON + minutes(3))
    )

    assert (ran.code, ran.err) == (0, "")
    assert set(ran.json) == {"events", "open", "ignored"}
    assert ran.json["events"][1] == {
        "poll": 1,
        "type": "cleared",
        "zone": "point",
        "key": "nws:KALY.TO.W.0012.2026",
        "category": "severe_weather",
        "level": "emergency",
        "event": "Tornado Warning",
        "reason": "cancelled",
    }
    assert ran.json["ignored"] == [{"id": feature()["properties"]["id"], "why": "its status is Test"}]


async def test_a_page_in_the_place_of_an_answer_counts_as_a_failed_poll(tmp_path: Path) -> None:
    ran = await replayed(
        tmp_path, answer(feature()), "<html>Bad Gateway</html>", {"status": 500}, words=("--every-zone",)
    )

    assert ran.code == 0
    assert "raised" in ran.out
    assert ran.err.count("counts as a failed poll") == 2
    assert "1 event, 1 still open, 0 messages ignored." in ran.err


@pytest.mark.parametrize(
    "words", [("--zone", "NYZ052", "--every-zone"), ("--now", "tomorrow"), ("/nowhere.json",)]
)
async def test_what_makes_no_sense_is_exit_two(words: tuple[str, ...], tmp_path: Path) -> None:
    ran = await replayed(tmp_path, answer(), words=words)

    assert ran.code == 2
    assert ran.err.strip()


async def test_an_answer_that_does_not_say_its_age_is_named_and_clears_nothing(tmp_path: Path) -> None:
    silent = answer(updated=None)

    ran = await replayed(tmp_path, answer(feature()), silent, silent)

    assert len(ran.json["open"]) == 1
    assert ran.err.count("clears nothing") == 2


async def test_an_answer_that_is_nested_without_end_counts_as_a_failed_poll(tmp_path: Path) -> None:
    ran = await replayed(tmp_path, "[" * 100_000)

    assert (ran.code, ran.json["events"]) == (0, [])
    assert "nested too deeply" in ran.err


async def test_a_word_that_is_no_zone_is_refused_and_not_taken_for_calm_weather(tmp_path: Path) -> None:
    ran = await replayed(tmp_path, answer(feature()), words=("--zone", "Albany"))

    assert ran.code == 2
    assert "Zones look like ALC129" in ran.err
