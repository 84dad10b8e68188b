"""The life of an official alert at one property: raised once, updated when it matters, cleared for a reason."""

from datetime import UTC, datetime
from typing import Any

from services.weather.domain.official import Place
from services.weather.domain.polls import read_poll
from tests.weather.nws import NOON, SIX, Home, answer, feature, hours, minutes, vtec

WATCH: dict[str, Any] = {"event": "Tornado Watch", "code": vtec(event="KALY.TO.A.0641")}


def test_an_alert_is_raised_once_however_often_it_is_listed() -> None:
    home = Home()

    assert home.hears(feature()) == ["raised Tornado Warning emergency"]
    assert home.hears(feature(), at=NOON + minutes(3)) == []
    assert len(home.open) == 1


def test_the_same_alert_under_a_new_id_says_nothing() -> None:
    home = Home()
    home.hears(feature(identity="urn:1"))

    said = home.hears(feature(identity="urn:2"), at=NOON + minutes(3))

    assert said == []
    assert home.open[0].seen == {"urn:1", "urn:2"}


def test_a_continuation_without_references_is_raised_when_it_is_the_first_thing_we_see() -> None:
    for action in ("NEW", "CON", "EXT", "EXA", "EXB"):
        said = Home().hears(feature(code=vtec(action, begins="000000T0000Z"), messageType="Alert"))
        assert said == ["raised Tornado Warning emergency"], action


def test_a_cancellation_that_calls_itself_an_alert_clears() -> None:
    home = Home()
    home.hears(feature(**WATCH))

    cancelled = feature(
        event="Tornado Watch",
        code=vtec("CAN", "KALY.TO.A.0641"),
        sent=NOON + minutes(30),
        messageType="Alert",
    )

    assert home.hears(cancelled, at=NOON + minutes(31)) == ["cleared Tornado Watch watch cancelled"]
    assert home.hears(cancelled, at=NOON + minutes(34)) == []
    assert home.ignored == []


def test_a_cancellation_of_what_was_never_open_says_nothing() -> None:
    home = Home()

    assert home.hears(feature(code=vtec("CAN"))) == []
    assert home.ignored == ["it ends nothing that is open here"]


def test_a_cancellation_for_one_zone_leaves_the_others_open() -> None:
    here, there = Home(place=Place(frozenset({"ALC129"}))), Home(place=Place(frozenset({"ALC013"})))
    watch = feature(**WATCH, zones=("ALC129", "ALC013"))
    continued = feature(
        event="Tornado Watch", code=vtec("CON", "KALY.TO.A.0641"), zones=("ALC013",), sent=NOON + minutes(9)
    )
    cancelled = feature(
        event="Tornado Watch", code=vtec("CAN", "KALY.TO.A.0641"), zones=("ALC129",), sent=NOON + minutes(9)
    )
    for home in (here, there):
        home.hears(watch)

    assert here.hears(continued, cancelled, at=NOON + minutes(10)) == [
        "cleared Tornado Watch watch cancelled"
    ]
    assert there.hears(continued, cancelled, at=NOON + minutes(10)) == []
    assert len(there.open) == 1


def test_an_end_that_moves_on_by_three_hours_is_told_and_one_by_less_is_not() -> None:
    home = Home()
    home.hears(feature())

    for later, said in ((2, []), (4, ["updated Tornado Warning emergency ends"]), (5, [])):
        longer = feature(code=vtec("EXT"), sent=NOON + minutes(later), ends=SIX + hours(later))
        assert home.hears(longer, at=NOON + minutes(later)) == said, later


def test_an_end_that_creeps_on_is_told_once_it_is_three_hours_from_what_was_told() -> None:
    home = Home()
    home.hears(feature())

    said = [
        line
        for step in range(1, 7)
        for line in home.hears(
            feature(code=vtec("EXT"), sent=NOON + minutes(step), ends=SIX + hours(step)),
            at=NOON + minutes(step),
        )
    ]

    assert said == ["updated Tornado Warning emergency ends"] * 2


def test_until_further_notice_is_later_than_any_end() -> None:
    home = Home()
    home.hears(feature())

    endless = feature(code=vtec("EXT", ends="000000T0000Z"), ends=None, sent=NOON + minutes(5))

    assert home.hears(endless, at=NOON + minutes(6)) == ["updated Tornado Warning emergency ends"]
    assert home.hears(endless, at=NOON + hours(40), updated=NOON + hours(40)) == []


def test_an_update_that_ends_sooner_is_kept_without_a_word() -> None:
    home = Home()
    home.hears(feature())

    said = home.hears(
        feature(code=vtec("CON"), sent=NOON + minutes(5), ends=SIX - hours(2)), at=NOON + minutes(6)
    )

    assert said == []
    assert home.open[0].ends_at == SIX - hours(2)


def test_an_onset_that_comes_an_hour_earlier_is_told() -> None:
    home = Home()
    home.hears(feature(onset=(NOON + hours(3)).isoformat()))

    sooner = feature(sent=NOON + minutes(5), onset=(NOON + hours(2)).isoformat())

    assert home.hears(sooner, at=NOON + minutes(6)) == ["updated Tornado Warning emergency onset"]


def test_an_emergency_tag_raises_the_level_and_is_told() -> None:
    home = Home()
    home.hears(feature(event="Flash Flood Warning", code=vtec(event="KALY.FF.W.0009")))

    worse = feature(
        event="Flash Flood Warning",
        code=vtec("CON", "KALY.FF.W.0009"),
        sent=NOON + minutes(5),
        parameters={"flashFloodDamageThreat": ["CATASTROPHIC"]},
    )

    assert home.hears(worse, at=NOON + minutes(6)) == ["updated Flash Flood Warning emergency level"]
    assert home.changes[0].previous_level is not None
    assert home.changes[0].previous_level.word == "warning"


def test_an_older_message_changes_nothing() -> None:
    home = Home()
    home.hears(feature(code=vtec("EXT"), sent=NOON, ends=SIX))

    said = home.hears(feature(sent=NOON - minutes(20), ends=SIX + hours(9)), at=NOON + minutes(3))

    assert said == []
    assert home.open[0].ends_at == SIX


def test_what_a_cache_still_shows_does_not_open_what_was_cancelled() -> None:
    home = Home()
    home.hears(feature())
    home.hears(feature(code=vtec("CAN"), sent=NOON + minutes(5)), at=NOON + minutes(6))

    assert home.hears(feature(), at=NOON + minutes(9)) == []
    assert home.ignored == ["it is older than what ended nws:KALY.TO.W.0012.2026"]


def test_an_alert_is_gone_after_two_healthy_answers_without_it() -> None:
    home = Home()
    home.hears(feature())

    assert home.hears(at=NOON + minutes(3)) == []
    assert home.hears(at=NOON + minutes(6)) == ["cleared Tornado Warning emergency expired"]


def test_what_only_vanished_from_the_list_is_raised_when_it_comes_back() -> None:
    home = Home()
    home.hears(feature())
    home.hears(at=NOON + minutes(3))
    home.hears(at=NOON + minutes(6))

    assert home.hears(feature(), at=NOON + minutes(9)) == ["raised Tornado Warning emergency"]


def test_answers_without_it_have_to_follow_each_other() -> None:
    home = Home()
    home.hears(feature())

    for step in range(3):
        assert home.hears(at=NOON + minutes(6 * step + 3)) == []
        assert home.hears(feature(), at=NOON + minutes(6 * step + 6)) == []


def test_an_empty_list_that_is_old_is_no_all_clear() -> None:
    home = Home()
    home.hears(feature())

    for step in range(1, 20):
        assert home.hears(at=NOON + minutes(30 + step), updated=NOON - minutes(1)) == []
    assert len(home.open) == 1


def test_an_empty_list_that_says_no_time_is_no_all_clear() -> None:
    home = Home()
    home.hears(feature())

    for step in range(1, 5):
        assert home.takes(read_poll(answer(updated=None)), NOON + minutes(step)) == []


def test_an_alert_in_an_old_list_is_raised_all_the_same() -> None:
    assert Home().hears(feature(), updated=NOON - hours(2)) == ["raised Tornado Warning emergency"]


def test_a_stale_message_leaves_the_list_before_its_hazard_ends_and_that_is_no_all_clear() -> None:
    # The message expires at noon, the hazard ends at six, and the next message is half an hour late.
    home = Home()
    home.hears(feature(sent=NOON - hours(2), expires=NOON), at=NOON - hours(2))

    for step in range(1, 11):
        assert home.hears(at=NOON + minutes(3 * step)) == []
    continued = feature(code=vtec("CON"), sent=NOON + minutes(30), expires=SIX)
    assert home.hears(continued, at=NOON + minutes(33)) == []


def test_an_hour_after_its_message_went_stale_absence_counts() -> None:
    home = Home()
    home.hears(feature(sent=NOON - hours(2), expires=NOON), at=NOON - hours(2))

    assert home.hears(at=NOON + minutes(61)) == []
    assert home.hears(at=NOON + minutes(64)) == ["cleared Tornado Warning emergency expired"]


def test_a_quarter_of_an_hour_after_its_end_an_alert_is_over() -> None:
    home = Home()
    home.hears(feature())

    assert home.hears(feature(), at=SIX + minutes(14)) == []
    assert home.hears(feature(), at=SIX + minutes(16)) == ["cleared Tornado Warning emergency expired"]
    assert home.hears(feature(), at=SIX + minutes(19)) == []


def test_an_alert_that_is_over_when_we_first_see_it_is_dropped() -> None:
    home = Home()

    assert home.hears(feature(), at=SIX) == []
    assert home.ignored == [f"it was over at {SIX.isoformat()}"]


def test_an_alert_for_tomorrow_night_is_raised_today() -> None:
    early = feature(onset=(NOON + hours(15)).isoformat(), ends=NOON + hours(24))

    assert Home().hears(early) == ["raised Tornado Warning emergency"]


def test_tests_and_exercises_reach_nobody() -> None:
    home = Home()

    for status in ("Test", "Exercise", "System", "Draft"):
        assert home.hears(feature(status=status)) == []
    assert home.hears(feature(code=vtec(kind="T")), feature(code=vtec(kind="X"))) == []
    assert home.open == []


def test_a_december_event_goes_on_in_january_and_is_not_raised_again() -> None:
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    december: dict[str, Any] = {
        "event": "Winter Storm Warning",
        "ends": new_year + hours(20),
        "expires": new_year + hours(8),
    }
    home = Home()
    first = feature(
        code=vtec(event="KALY.WS.W.0031", begins="261231T1200Z"), sent=new_year - hours(12), **december
    )
    home.hears(first, at=new_year - hours(12))

    later = feature(
        code=vtec("CON", "KALY.WS.W.0031", begins="000000T0000Z"), sent=new_year + hours(2), **december
    )

    assert home.hears(later, at=new_year + hours(2)) == []
    assert [item.key for item in home.open] == ["nws:KALY.WS.W.0031.2026"]


def test_the_first_event_of_a_year_is_not_the_first_of_the_last() -> None:
    home = Home()
    home.hears(feature())
    home.hears(feature(code=vtec("CAN"), sent=NOON + minutes(5)), at=NOON + minutes(6))
    year = hours(24 * 365)

    again = feature(code=vtec(begins="270715T1200Z", ends="270715T1800Z"), sent=NOON + year, ends=SIX + year)

    assert home.hears(again, at=NOON + year) == ["raised Tornado Warning emergency"]
    assert home.open[0].key == "nws:KALY.TO.W.0012.2027"


def test_a_watch_that_is_upgraded_becomes_a_warning_without_an_all_clear() -> None:
    home = Home()
    home.hears(feature(event="Freeze Watch", code=vtec(event="KTAE.FZ.A.0004")))
    upgraded = feature(event="Freeze Watch", code=vtec("UPG", "KTAE.FZ.A.0004"), sent=NOON + minutes(9))
    warning = feature(event="Freeze Warning", code=vtec(event="KTAE.FZ.W.0013"), sent=NOON + minutes(9))

    said = home.hears(upgraded, warning, at=NOON + minutes(10))

    watch = next(item for item in home.incidents.values() if not item.is_open)
    assert said == ["updated Freeze Warning warning level"]
    assert home.changes[0].replaces == (watch.id,)
    assert (watch.reason and watch.reason.value, watch.superseded_by) == ("upgraded", home.open[0].id)


def test_a_warning_beside_its_watch_is_told_as_a_rise_of_the_level() -> None:
    home = Home()
    home.hears(feature(**WATCH))

    said = home.hears(feature(**WATCH), feature(sent=NOON + minutes(9)), at=NOON + minutes(10))

    assert said == ["updated Tornado Warning emergency level"]
    assert len(home.open) == 2


def test_a_downgrade_gives_no_all_clear_and_tells_nobody() -> None:
    home = Home()
    home.hears(feature(event="Extreme Heat Warning", code=vtec(event="KMPX.XH.W.0002")))
    cancelled = feature(
        event="Extreme Heat Warning", code=vtec("CAN", "KMPX.XH.W.0002"), sent=NOON + minutes(9)
    )
    advisory = feature(event="Heat Advisory", code=vtec("EXB", "KMPX.HT.Y.0003"), sent=NOON + minutes(9))

    said = home.hears(cancelled, advisory, at=NOON + minutes(10))

    over = next(item for item in home.incidents.values() if not item.is_open)
    assert said == ["raised Heat Advisory advisory quietly"]
    assert home.changes[0].replaces == (over.id,)
    assert over.reason is not None
    assert over.reason.value == "downgraded"


def test_after_a_downgrade_the_end_is_told_to_those_who_were_told_of_the_beginning() -> None:
    home = Home()
    home.hears(feature(event="Extreme Heat Warning", code=vtec(event="KMPX.XH.W.0002")))
    cancelled = feature(
        event="Extreme Heat Warning", code=vtec("CAN", "KMPX.XH.W.0002"), sent=NOON + minutes(9)
    )
    advisory = feature(event="Heat Advisory", code=vtec("EXB", "KMPX.HT.Y.0003"), sent=NOON + minutes(9))
    home.hears(cancelled, advisory, at=NOON + minutes(10))

    over = feature(event="Heat Advisory", code=vtec("CAN", "KMPX.HT.Y.0003"), sent=NOON + hours(2))

    assert home.hears(over, at=NOON + hours(2)) == ["cleared Heat Advisory advisory cancelled"]


def test_while_another_of_its_kind_is_open_an_end_is_no_all_clear() -> None:
    home = Home()
    flood = feature(event="Flood Warning", code=vtec(event="KALY.FL.W.0001"))
    home.hears(flood, feature(**WATCH))

    cancelled = feature(event="Tornado Watch", code=vtec("CAN", "KALY.TO.A.0641"), sent=NOON + minutes(20))

    assert home.hears(flood, cancelled, at=NOON + minutes(20)) == [
        "cleared Tornado Watch watch cancelled quietly"
    ]


def test_on_the_first_day_old_advisories_open_silently_and_old_warnings_do_not() -> None:
    old: dict[str, Any] = {"sent": NOON - hours(2)}
    advisory = feature(event="Wind Advisory", code=vtec(event="KALY.WI.Y.0001"), **old)
    warning = feature(event="High Wind Warning", code=vtec(event="KALY.HW.W.0001"), **old)

    said = Home(cold=True).hears(advisory, warning)

    assert sorted(said) == ["raised High Wind Warning warning", "raised Wind Advisory advisory quietly"]


def test_what_opened_silently_ends_silently() -> None:
    home = Home(cold=True)
    home.hears(feature(event="Wind Advisory", code=vtec(event="KALY.WI.Y.0001"), sent=NOON - hours(2)))

    over = feature(event="Wind Advisory", code=vtec("CAN", "KALY.WI.Y.0001"), sent=NOON + minutes(9))

    assert home.hears(over, at=NOON + minutes(10)) == ["cleared Wind Advisory advisory cancelled quietly"]


def test_a_property_that_is_added_during_an_alert_is_told() -> None:
    old = Home()
    old.hears(
        feature(event="Wind Advisory", code=vtec(event="KALY.WI.Y.0001"), sent=NOON - hours(2)),
        at=NOON - hours(2),
    )

    added = Home()

    assert added.hears(
        feature(event="Wind Advisory", code=vtec(event="KALY.WI.Y.0001"), sent=NOON - hours(2))
    ) == ["raised Wind Advisory advisory"]


def test_an_office_s_clock_may_be_ahead_of_ours_or_behind_it() -> None:
    ahead = feature(sent=NOON + minutes(10), onset=(NOON + minutes(10)).isoformat())

    home = Home()

    assert home.hears(ahead, updated=NOON + minutes(10)) == ["raised Tornado Warning emergency"]
    assert home.hears(updated=NOON + minutes(13), at=NOON + minutes(3)) == []
    assert home.hears(updated=NOON + minutes(16), at=NOON + minutes(6)) == [
        "cleared Tornado Warning emergency expired"
    ]


def test_a_statement_without_a_vtec_is_one_danger_across_its_updates() -> None:
    home = Home()
    first = feature(event="Special Weather Statement", code="", identity="urn:1", ends=None)
    home.hears(first)
    wider = feature(
        event="Special Weather Statement",
        code="",
        identity="urn:2",
        ends=None,
        zones=("NYZ052", "NYZ053"),
        sent=NOON + minutes(30),
        messageType="Update",
        references=[{"identifier": "urn:1"}],
    )

    assert home.hears(wider, at=NOON + minutes(31)) == []
    assert len(home.open) == 1


def test_a_statement_is_linked_through_references_that_expired_too() -> None:
    home = Home()
    home.hears(feature(event="Special Weather Statement", code="", identity="urn:1", ends=None))
    later = feature(
        event="Special Weather Statement",
        code="",
        identity="urn:3",
        ends=None,
        zones=("NYZ053",),
        sent=NOON + hours(3),
        parameters={"expiredReferences": ["w-nws.webmaster@noaa.gov,urn:1,2026-07-15T12:00:00-00:00"]},
    )

    assert home.hears(later, at=NOON + hours(3)) == []


def test_of_overlapping_copies_the_newest_counts() -> None:
    copies = [
        feature(
            event="Special Weather Statement",
            code="",
            identity=f"urn:{n}",
            ends=SIX + hours(n),
            sent=NOON + minutes(n),
            onset=NOON.isoformat(),
        )
        for n in (2, 1)
    ]
    home = Home()

    assert home.hears(*copies, at=NOON + minutes(3)) == ["raised Special Weather Statement advisory"]
    assert home.open[0].ends_at == SIX + hours(2)


def test_a_county_and_a_zone_that_name_the_same_hazard_are_one_danger() -> None:
    home = Home(place=Place(frozenset({"NYC001", "NYZ052"})))

    said = home.hears(
        feature(zones=("NYC001",), identity="urn:1"), feature(zones=("NYZ052",), identity="urn:2")
    )

    assert said == ["raised Tornado Warning emergency"]


def test_a_message_that_made_way_for_a_higher_one_is_not_called_ineffective() -> None:
    home = Home()
    watch, warning = "KALY.TO.A.0001", "KALY.TO.W.0012"
    home.hears(feature(event="Tornado Watch", code=vtec(event=watch)))
    later = NOON + minutes(5)
    upgrade = feature(event="Tornado Watch", code=vtec("UPG", event=watch), sent=later)
    new = feature(code=vtec(event=warning), sent=later)

    assert home.hears(upgrade, new, at=later) == ["updated Tornado Warning emergency level"]
    assert home.ignored == []


def test_what_was_upgraded_is_not_raised_again_by_a_message_from_before() -> None:
    home = Home()
    watch, warning = "KALY.TO.A.0001", "KALY.TO.W.0012"
    home.hears(feature(event="Tornado Watch", code=vtec(event=watch)))
    late = NOON + minutes(5)
    upgrade = feature(event="Tornado Watch", code=vtec("UPG", event=watch), sent=late)
    new = feature(code=vtec(event=warning), sent=late)
    home.hears(upgrade, new, at=late)

    between = feature(event="Tornado Watch", code=vtec("CON", event=watch), sent=NOON + minutes(3))

    assert home.hears(between, new, at=NOON + minutes(6)) == []
