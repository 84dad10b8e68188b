"""Official messages as they are read: codes, times, zones, words, and what they are to a tenant."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.weather.domain.alerts import Alert, read_alerts
from services.weather.domain.classification import Classified, Ignored, classify
from services.weather.domain.levels import Category, Level
from services.weather.domain.polls import NotAnAnswer, read_poll
from services.weather.domain.texts import LONGEST_DESCRIPTION, LONGEST_SUMMARY, shortened
from services.weather.domain.vtec import BadVtec, parse_vtec
from services.weather.domain.zones import county_of_same
from tests.weather.nws import NOON, answer, feature, hours, vtec


def read(**changes: Any) -> Alert:
    return read_alerts(feature(**changes))[0]


RECORDED = (
    "nws_alerts_active_20251215_wind_winter_subset",
    "nws_alerts_active_20260715_heat_subset",
    "nws_alerts_active_point_empty",
    "nws_alerts_active_zone_flood_watch_update_4refs",
    "nws_alerts_point_history_tornado_watch_new_update_cancel",
)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_message_can_be_read(name: str, recorded: Callable[[str], Any]) -> None:
    document = recorded(name)

    poll = read_poll(document)

    assert poll.unreadable == ()
    assert len(poll.alerts) == len(document["features"])
    assert all(alert.key.startswith("nws:") and alert.summary for alert in poll.alerts)


def test_a_vtec_is_read_in_all_its_parts() -> None:
    code = parse_vtec("/O.NEW.KMOB.TO.A.0641.251125T1806Z-251126T0000Z/")

    assert (code.product_class, code.action, code.event) == ("O", "NEW", "KMOB.TO.A.0641")
    assert code.begins_at == datetime(2025, 11, 25, 18, 6, tzinfo=UTC)
    assert code.ends_at == datetime(2025, 11, 26, tzinfo=UTC)


def test_a_vtec_under_way_until_further_notice_has_neither_beginning_nor_end() -> None:
    code = parse_vtec("/O.CON.KSEW.FL.W.0044.000000T0000Z-000000T0000Z/")

    assert (code.begins_at, code.ends_at) == (None, None)


@pytest.mark.parametrize(
    "text", ["", "O.NEW.KMOB.TO.A.0641", vtec("NEWS"), vtec(ends="261315T1200Z"), vtec(kind="Q")]
)
def test_what_is_no_vtec_is_refused(text: str) -> None:
    with pytest.raises(BadVtec):
        parse_vtec(text)


@given(text=some.text())
def test_any_text_is_a_vtec_or_refused(text: str) -> None:
    try:
        code = parse_vtec(text)
    except BadVtec:
        return
    assert code.event in text


def test_the_end_comes_from_ends_then_the_ending_time_then_the_vtec() -> None:
    later = NOON + hours(9)

    assert read(ends=NOON).ends_at == NOON
    assert read(ends=None, parameters={"eventEndingTime": [later.isoformat()]}).ends_at == later
    assert read(ends=None).ends_at == datetime(2026, 7, 15, 18, tzinfo=UTC)


def test_a_message_whose_ends_key_is_absent_can_be_read() -> None:
    found = feature(code=vtec(ends="000000T0000Z"))
    del found["properties"]["ends"]

    assert read_alerts(found)[0].ends_at is None


def test_a_message_without_an_instruction_is_read_with_an_empty_one() -> None:
    assert read(instruction=None).instruction == ""


def test_a_description_of_ten_kilobytes_is_cut_and_the_line_for_a_text_message_is_short() -> None:
    long = "There will be a great deal of wind. " * 300

    alert = read(description=long, headline=long)

    assert len(alert.description) <= LONGEST_DESCRIPTION
    assert alert.description.endswith("wind.")
    assert len(alert.summary) <= LONGEST_SUMMARY


@given(text=some.text(max_size=400), longest=some.integers(10, 100))
def test_a_shortened_text_is_never_too_long(text: str, longest: int) -> None:
    assert len(shortened(text, longest)) <= longest


def test_the_line_for_a_text_message_has_no_character_that_doubles_its_price() -> None:
    summary = read(headline="Heat of 105\u00b0F \u2014 stay inside, it\u2019s dangerous\u2026").summary

    assert summary == "Heat of 105F - stay inside, it's dangerous..."


def test_a_civil_message_without_zones_is_placed_by_its_counties() -> None:
    alert = read(zones=(), geocode={"SAME": ["048325"]}, code="", event="Civil Emergency Message")

    assert alert.zones == {"TXC325"}
    assert county_of_same("001129") == "ALC129"
    assert county_of_same("099999") is None


def test_a_polygon_decides_for_a_point_where_there_is_one() -> None:
    ring = [[-74.0, 42.0], [-73.0, 42.0], [-73.0, 43.0], [-74.0, 43.0], [-74.0, 42.0]]
    alert = read(geometry={"type": "Polygon", "coordinates": [ring]})

    assert alert.covers(frozenset({"NYZ052"}), (42.5, -73.5))
    assert not alert.covers(frozenset({"NYZ052"}), (41.5, -73.5))
    assert alert.covers(frozenset({"NYZ052"}))


def test_one_unreadable_message_does_not_hide_the_others() -> None:
    poll = read_poll(answer({"properties": {"id": "broken", "event": "Tornado Warning"}}, feature()))

    assert len(poll.alerts) == 1
    assert [bad.identity for bad in poll.unreadable] == ["broken"]


@pytest.mark.parametrize(
    "document", [None, [], {}, {"features": None}, {"title": "Unexpected Problem"}, "<html>"]
)
def test_what_is_no_list_of_alerts_is_no_answer(document: object) -> None:
    with pytest.raises(NotAnAnswer):
        read_poll(document)


@pytest.mark.parametrize(
    ("event", "phenomenon", "category", "level"),
    [
        ("Heat Advisory", "HT.Y", Category.EXTREME_HEAT, Level.ADVISORY),
        ("Extreme Heat Warning", "XH.W", Category.EXTREME_HEAT, Level.WARNING),
        ("Freeze Watch", "FZ.A", Category.EXTREME_COLD, Level.WATCH),
        ("High Wind Warning", "HW.W", Category.HIGH_WIND, Level.WARNING),
        ("Tornado Watch", "TO.A", Category.SEVERE_WEATHER, Level.WATCH),
        ("Tornado Warning", "TO.W", Category.SEVERE_WEATHER, Level.EMERGENCY),
        ("Extreme Wind Warning", "EW.W", Category.HIGH_WIND, Level.EMERGENCY),
        ("Winter Storm Warning", "WS.W", Category.SEVERE_WEATHER, Level.WARNING),
        ("Flood Advisory", "FA.Y", Category.SEVERE_WEATHER, Level.ADVISORY),
    ],
)
def test_the_vtec_says_category_and_level(
    event: str, phenomenon: str, category: Category, level: Level
) -> None:
    # A tornado watch is of severity Extreme and 78 others are Severe: severity has no say.
    found = classify(event, parse_vtec(vtec(event=f"KALY.{phenomenon}.0001")), {})

    assert isinstance(found, Classified)
    assert (found.category, found.level) == (category, level)


@pytest.mark.parametrize(
    ("event", "category", "level"),
    [
        ("Wind Chill Warning", Category.EXTREME_COLD, Level.WARNING),
        ("High Wind Watch", Category.HIGH_WIND, Level.WATCH),
        ("Evacuation - Immediate", Category.SEVERE_WEATHER, Level.EMERGENCY),
        ("Civil Danger Warning", Category.SEVERE_WEATHER, Level.EMERGENCY),
        ("Storm Surge Warning", Category.SEVERE_WEATHER, Level.WARNING),
    ],
)
def test_without_a_vtec_the_name_says_category_and_level(
    event: str, category: Category, level: Level
) -> None:
    found = classify(event, None, {})

    assert isinstance(found, Classified)
    assert (found.category, found.level, found.known) == (category, level, True)


def test_an_event_that_no_table_knows_has_the_lowest_level_and_is_noted() -> None:
    found = classify("Meteor Statement", None, {})

    assert isinstance(found, Classified)
    assert (found.level, found.known) == (Level.ADVISORY, False)


@pytest.mark.parametrize(
    ("tag", "value", "level"),
    [
        ("tornadoDamageThreat", "CONSIDERABLE", Level.EMERGENCY),
        ("flashFloodDamageThreat", "CATASTROPHIC", Level.EMERGENCY),
        ("thunderstormDamageThreat", "DESTRUCTIVE", Level.EMERGENCY),
        ("thunderstormDamageThreat", "CONSIDERABLE", Level.WARNING),
    ],
)
def test_the_worst_damage_threats_are_emergencies(tag: str, value: str, level: Level) -> None:
    code = parse_vtec(vtec(event="KALY.SV.W.0001"))

    found = classify("Severe Thunderstorm Warning", code, {tag: value})

    assert isinstance(found, Classified)
    assert found.level is level


def test_fire_weather_fog_and_the_sea_concern_nobody_unless_somebody_chose_them() -> None:
    fire = parse_vtec(vtec(event="KALY.FW.W.0001"))

    assert isinstance(classify("Red Flag Warning", fire, {}), Ignored)
    assert isinstance(classify("Red Flag Warning", fire, {}, also={"FW"}), Classified)
    assert isinstance(classify("Air Quality Alert", None, {}), Ignored)
    assert isinstance(classify("Dense Fog Advisory", parse_vtec(vtec(event="KALY.FG.Y.0001")), {}), Ignored)


def test_a_garbled_vtec_leaves_the_warning_by_its_name() -> None:
    found = read_poll(answer(feature(code="/O.NEW.KALY.TO.W/")))

    assert [(alert.event, alert.vtec) for alert in found.alerts] == [("Tornado Warning", None)]


@pytest.mark.parametrize("code", ["/T.NEW.KALY.TO.W/", "/O.CAN.KALY.TO.W/", "X.CON.KALY"])
def test_a_garbled_vtec_of_a_test_or_an_end_warns_nobody(code: str) -> None:
    found = read_poll(answer(feature(code=code)))

    assert (found.alerts, len(found.unreadable)) == ((), 1)


def test_a_vtec_that_is_no_list_is_read_all_the_same() -> None:
    found = read_poll(answer(feature(code="", parameters={"VTEC": vtec()})))

    assert [alert.key for alert in found.alerts] == ["nws:KALY.TO.W.0012.2026"]
