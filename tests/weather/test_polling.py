"""From a trigger to a fact: questions per place, answers worked off once, and what failures leave behind."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.weather.handlers.settling import settle
from services.weather.schema import answers, checks, feeds, incident_revisions, locations, runs
from services.weather.store.answers import Answer, AnswerStore
from services.weather.store.checks import Check, CheckStore
from services.weather.store.places import PlaceStore
from shared.contracts.leasing import PropertyChanged
from shared.identity import new_id
from shared.messaging.transaction import command_envelope
from tests.support.builders import a_property
from tests.support.eventually import eventually
from tests.support.messages import outbox
from tests.weather.desk import ALBANY, ALERTS, Desk
from tests.weather.nws import NOON, answer, feature, hours, minutes, vtec
from tests.weather.provider import Reply, page
from tests.weather.test_asking import OUT_OF_BOUNDS, PROBLEM


async def test_properties_at_one_place_are_asked_about_once_and_each_is_told(desk: Desk) -> None:
    first, second = await desk.register(), await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))

    await desk.ask()

    said = await desk.said()
    assert desk.provider.asked() == 1
    assert [name for name, _ in said] == ["weather_alert_raised"] * 2
    assert {UUID(body["property_id"]) for _, body in said} == {first, second}


async def test_a_fact_has_all_that_a_message_to_tenants_needs(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))

    await desk.ask()

    ((_, body),) = await desk.said()
    assert body["dedup_key"] == "nws:KALY.TO.W.0012.2026"
    assert (body["level"], body["category"], body["official"]) == ("emergency", "severe_weather", True)
    assert (body["headline"], body["instruction"]) == ("Tornado Warning until later", "Go inside.")
    assert (body["time_zone"], body["attribution"]) == ("America/New_York", "NWS Albany NY")
    assert body["ends_at"] == "2026-07-15T18:00:00Z"
    assert (body["revision"], body["quiet"], body["stale"]) == (1, False, False)


async def test_asking_again_and_again_says_nothing_new(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))

    for step in range(4):
        await desk.asks_at(NOON + minutes(3 * step))

    assert await desk.names() == ["alert_raised"]
    assert len(await desk.rows(incident_revisions)) == 1
    # The same list again is the same answer: it is kept once.
    assert len(await desk.rows(answers)) == 1


async def test_an_alert_is_raised_updated_and_cleared_with_rising_revisions(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(
        ALERTS,
        Reply(answer(feature())),
        Reply(
            answer(
                feature(code=vtec("EXT"), sent=NOON + minutes(2), ends=NOON + hours(12)),
                updated=NOON + minutes(3),
            )
        ),
        Reply(answer(feature(code=vtec("CAN"), sent=NOON + minutes(5)), updated=NOON + minutes(6))),
    )

    for step in range(3):
        await desk.asks_at(NOON + minutes(3 * step))

    said = await desk.said()
    assert [name for name, _ in said] == [
        "weather_alert_raised",
        "weather_alert_updated",
        "weather_alert_cleared",
    ]
    assert [body["revision"] for _, body in said] == [1, 2, 3]
    assert said[1][1]["changes"] == ["ends"]
    assert (said[2][1]["reason"], said[2][1]["quiet"]) == ("cancelled", False)
    assert await desk.open() == []


async def test_two_replicas_that_poll_at_once_raise_each_incident_once(desk: Desk) -> None:
    places = [await desk.register(latitude=40 + number / 10, longitude=-75.0) for number in range(12)]
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.due()

    async def replica() -> None:
        poller = desk.poller()
        while await poller.ask_next():
            pass

    await asyncio.gather(*(replica() for _ in range(6)))

    told = Counter(body["property_id"] for _, body in await desk.said())
    assert told == {str(place): 1 for place in places}
    assert desk.provider.asked() == len(places)
    assert len(await desk.outcomes()) == 1


async def test_two_answers_about_one_place_at_the_same_moment_raise_an_incident_once(desk: Desk) -> None:
    """A person and the schedule ask at once: the lock on the place lets the second see what the first did."""
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))
    async with desk.transactions.engine.connect() as connection:
        (place,) = await PlaceStore(connection).watched()

    async def ask_and_settle() -> None:
        asked = await desk.asker.alerts(place, None)
        story = new_id()
        check = Check(place.location_id, "alerts", story, None, False, NOON, story)  # noqa: FBT003
        async with desk.transactions.begin(command_envelope("test", story)) as tx:
            await settle(tx, check, asked)

    await asyncio.gather(*(ask_and_settle() for _ in range(5)))

    assert await desk.names() == ["alert_raised"]


async def test_an_incident_and_its_facts_are_kept_together_or_not_at_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.due()
    poller = desk.poller()

    with monkeypatch.context() as broken:
        broken.setattr("services.weather.poller.outcome_of", None)
        with pytest.raises(TypeError):
            await poller.ask_next()

    assert (await desk.open(), await desk.said()) == ([], [])
    desk.clock.advance(minutes=5)
    while await poller.ask_next():
        pass
    assert await desk.names() == ["alert_raised"]


async def test_a_question_whose_process_died_is_asked_by_another_after_its_lease(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.due()

    async with desk.transactions.engine.begin() as connection:
        taken = await CheckStore(connection).take_next(desk.clock.now(), lease=minutes(4))

    assert taken is not None
    assert not await desk.poller().ask_next()
    desk.clock.advance(minutes=5)
    assert await desk.poller().ask_next()
    assert await desk.names() == ["alert_raised"]


async def test_a_question_is_held_for_as_long_as_its_process_asks(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature()), hang=0.6))
    await desk.due()
    lease = timedelta(seconds=0.3)

    asking = asyncio.create_task(desk.poller(lease=lease).ask_next())
    await eventually(lambda: bool(desk.provider.requests))
    desk.clock.advance(seconds=5)
    await asyncio.sleep(0.25)

    assert not await desk.poller(lease=lease).ask_next()
    assert await asking
    assert await desk.rows(checks) == []


async def test_a_poller_that_is_told_to_end_gives_its_question_back(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(), hang=0.25))
    await desk.due()
    poller = desk.poller()

    asking = asyncio.create_task(poller.ask_next())
    await eventually(lambda: bool(desk.provider.requests))
    poller.stop()
    asked = await asking

    (waiting,) = await desk.rows(checks)
    assert (asked, waiting.taken_until, waiting.attempts) == (False, None, 0)


async def test_a_question_that_still_waits_is_not_queued_twice(desk: Desk) -> None:
    await desk.register()

    await desk.due()
    second = await desk.due()

    assert len(await desk.rows(checks)) == 1
    (outcome,) = await desk.outcomes()
    assert outcome["occurrence_id"] == str(second.occurrence_id)
    assert (outcome["state"], outcome["counts"]["skipped"]) == ("succeeded", 1)


async def test_the_outcome_is_said_once_when_every_place_was_asked_about(desk: Desk) -> None:
    for number in range(3):
        await desk.register(latitude=40.0 + number)
    desk.provider.says(ALERTS, Reply(answer(feature())), Reply(PROBLEM, 500))
    trigger = await desk.due()
    await desk.hear(trigger)  # the same time under another message id

    poller = desk.poller()
    while await poller.ask_next():
        pass

    (outcome,) = await desk.outcomes()
    assert outcome["occurrence_id"] == str(trigger.occurrence_id)
    assert outcome["state"] == "partial"
    assert outcome["counts"] == {
        "examined": 3,
        "raised": 1,
        "updated": 0,
        "cleared": 0,
        "skipped": 0,
        "failed": 2,
    }
    assert all("location" in problem for problem in outcome["problems"])


async def test_without_a_property_the_outcome_is_said_at_once(desk: Desk) -> None:
    await desk.due()

    (outcome,) = await desk.outcomes()
    assert (outcome["state"], outcome["counts"]["examined"]) == ("succeeded", 0)


@pytest.mark.parametrize("changes", [{"dry_run": True}, {"as_of": NOON - minutes(11)}])
async def test_a_dry_trigger_and_one_that_comes_far_too_late_ask_nothing(
    desk: Desk, changes: dict[str, Any]
) -> None:
    await desk.register()

    await desk.due(**changes)

    assert await desk.rows(checks) == []
    assert (await desk.outcomes())[0]["counts"]["skipped"] == 1


async def test_a_person_may_ask_for_a_moment_of_the_past(desk: Desk) -> None:
    await desk.register()

    await desk.due(as_of=NOON - hours(1), origin="manual")

    assert len(await desk.rows(checks)) == 1


FAILURES = {
    "500": Reply(PROBLEM, 500),
    "503": Reply(PROBLEM, 503),
    "a page with 200": page(),
    "an empty list that is old": Reply(answer(updated=NOON - hours(3))),
    "429": Reply({}, 429, {"Retry-After": "900"}),
    "a hang": Reply(answer(), hang=0.4),
    "a document that is no list": Reply({"title": "hello"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_whatever_fails_is_no_all_clear_and_no_duplicate_and_is_marked_as_stale(
    desk: Desk, failure: Reply
) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.ask()
    desk.provider.says("/alerts", failure)
    desk.provider.says(ALERTS, failure)

    for step in range(1, 4):
        await desk.asks_at(NOON + minutes(30 * step))

    (feed,) = await desk.rows(feeds)
    assert await desk.names() == ["alert_raised"]
    assert len(await desk.open()) == 1
    assert feed.stale_since == feed.healthy_at
    assert feed.problem

    desk.clock.moment = NOON + hours(2)
    desk.provider.says(ALERTS, Reply(answer(feature(identity="urn:other"), updated=NOON + hours(2))))
    await desk.ask()

    (feed,) = await desk.rows(feeds)
    assert (await desk.names(), feed.stale_since, feed.problem) == (["alert_raised"], None, None)


async def test_after_three_hours_without_an_answer_the_operator_is_told_once(desk: Desk) -> None:
    place = await desk.register()
    desk.provider.says(ALERTS, Reply(answer()))
    await desk.ask()
    desk.provider.says(ALERTS, Reply(PROBLEM, 500))

    for step in range(1, 30):
        await desk.asks_at(NOON + minutes(15 * step))

    ((name, body),) = await desk.said()
    assert name == "weather_data_stale"
    assert (body["check"], body["property_ids"]) == ("alerts", [str(place)])
    assert body["reason"] == "500 Unexpected Problem"

    desk.provider.says(ALERTS, Reply(answer(updated=NOON + hours(9))))
    await desk.asks_at(NOON + hours(9))
    desk.provider.says(ALERTS, Reply(PROBLEM, 500))
    for step in range(1, 20):
        await desk.asks_at(NOON + hours(9) + minutes(15 * step))
    assert await desk.names() == ["data_stale", "data_stale"]


async def test_500_and_then_an_answer_is_as_if_nothing_had_been(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(PROBLEM, 500), Reply(answer(feature())))

    await desk.ask()

    assert await desk.names() == ["alert_raised"]
    assert (await desk.outcomes())[0]["state"] == "succeeded"


async def test_a_place_outside_the_united_states_is_asked_for_official_alerts_once(desk: Desk) -> None:
    await desk.register(latitude=51.5, longitude=-0.1)
    desk.provider.says(ALERTS, Reply(OUT_OF_BOUNDS, 400))

    await desk.ask()
    await desk.ask()

    (place,) = await desk.rows(locations)
    assert (place.nws_supported, desk.provider.asked()) == (False, 1)
    assert [outcome["state"] for outcome in await desk.outcomes()] == ["succeeded"] * 2


async def test_a_property_without_coordinates_is_not_asked_about(desk: Desk) -> None:
    await desk.register(latitude=None, longitude=None)

    await desk.ask()

    assert (desk.provider.asked(), await desk.rows(locations)) == (0, [])


async def test_ten_metres_are_one_place_and_an_older_version_moves_nothing(desk: Desk) -> None:
    fact = a_property(**ALBANY, version=2)
    await desk.hear(fact)
    await desk.register(latitude=42.745_01, longitude=-73.752_02)
    older = fact.model_dump() | {"version": 1, "latitude": 10.0}
    await desk.hear(PropertyChanged(**older))
    desk.provider.says(ALERTS, Reply(answer(feature())))

    await desk.ask()

    assert desk.provider.asked() == 1
    assert len(await desk.said()) == 2


async def test_a_property_that_moves_leaves_its_incident_behind_without_an_all_clear(desk: Desk) -> None:
    fact = a_property(**ALBANY)
    await desk.hear(fact)
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.ask()

    await desk.hear(PropertyChanged(**fact.model_dump() | {"version": 2, "latitude": 40.0}))

    name, body = (await desk.said())[-1]
    assert name == "weather_alert_cleared"
    assert (body["reason"], body["quiet"]) == ("disabled", True)
    await desk.ask()
    assert await desk.names() == ["alert_raised", "alert_cleared", "alert_raised"]


async def test_a_property_whose_place_is_no_longer_known_leaves_its_incident_behind(desk: Desk) -> None:
    fact = a_property(**ALBANY)
    await desk.hear(fact)
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.ask()

    await desk.hear(
        PropertyChanged(**fact.model_dump() | {"version": 2, "latitude": None, "longitude": None})
    )

    assert await desk.open() == []
    assert (await desk.said())[-1][1]["quiet"] is True


async def test_a_property_that_is_added_during_an_alert_is_told_alone(desk: Desk) -> None:
    await desk.register()
    advisory = feature(event="Wind Advisory", code=vtec(event="KALY.WI.Y.0001"), sent=NOON - minutes(50))
    desk.provider.says(ALERTS, Reply(answer(advisory)))
    await desk.ask()
    added = await desk.register()

    await desk.asks_at(NOON + minutes(20))

    said = await desk.said()
    assert len(said) == 2
    assert (said[1][1]["property_id"], said[1][1]["quiet"]) == (str(added), False)


async def test_on_the_first_day_old_advisories_are_kept_and_not_told(desk: Desk) -> None:
    await desk.register()
    advisory = feature(event="Wind Advisory", code=vtec(event="KALY.WI.Y.0001"), sent=NOON - hours(5))
    desk.provider.says(ALERTS, Reply(answer(advisory)))

    await desk.ask()

    assert [body["quiet"] for _, body in await desk.said()] == [True]


async def test_the_facts_carry_the_story_of_the_trigger(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))
    trigger = await desk.due()
    await desk.poller().ask_next()

    stories = {row.correlation_id for row in await desk.rows(outbox)}
    assert stories == {trigger.occurrence_id}
    (run,) = await desk.rows(runs)
    assert (run.raised, run.finished_at) == (1, desk.clock.now())


async def test_what_was_said_is_kept_for_a_while_and_then_forgotten(desk: Desk) -> None:
    await desk.register()
    desk.provider.says(ALERTS, Reply(answer(feature())))
    await desk.ask()
    async with desk.transactions.command("test") as tx:
        (place,) = await PlaceStore(tx.connection).watched()
        await AnswerStore(tx.connection).keep(place.location_id, Answer("nws_grid", "{}", "1"), tx.at)

    kept = []
    for days in (1, 3, 29, 31):
        desk.clock.moment = NOON + hours(24 * days)
        await desk.due("conditions")
        kept.append((sorted(row.feed for row in await desk.rows(answers)), len(await desk.rows(runs))))

    assert kept == [
        (["nws_alerts", "nws_grid"], 2),
        (["nws_alerts"], 3),
        (["nws_alerts"], 4),
        ([], 4),  # the run of the first day is forgotten
    ]
