"""What Prometheus asks for and Grafana draws is there: a panel of a series that nobody writes stays empty for ever."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from propman.catalog import service_names

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "propman.json"
SERIES = re.compile(r"\bpropman_[a-z_]+")
NOT_IN_A_NAME = re.compile(r"_(bucket|total)$")


def series_of(expression: str) -> set[str]:
    return {NOT_IN_A_NAME.sub("", name) for name in SERIES.findall(expression)}


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return loaded


def expressions() -> list[str]:
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return alerts + [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def series_in_the_code() -> set[str]:
    """Names as the sources write them; a channel's own series are made from a pattern."""
    text = "\n".join(
        path.read_text() for top in ("shared", "services") for path in (ROOT / top).rglob("*.py")
    )
    found = series_of(text.replace("propman_{channel}", "propman_email"))
    return found | series_of(text.replace("propman_{channel}", "propman_sms"))


def test_every_series_that_is_drawn_or_watched_is_written_by_a_service() -> None:
    used = set().union(*map(series_of, expressions()))

    assert len(used) >= 10
    assert used - series_in_the_code() == set()


@pytest.mark.parametrize("service", service_names())
def test_every_service_is_asked_at_its_own_port(service: str) -> None:
    asked = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]["dns_sd_configs"]
    settings = importlib.import_module(f"services.{service}.settings").Settings

    assert [entry["port"] for entry in asked if entry["names"] == [service]] == [
        settings.model_fields["http_port"].default
    ]


def test_every_alert_says_what_to_look_with() -> None:
    rules = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())

    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert {"summary", "action"} <= set(rule["annotations"]), rule["alert"]


def test_every_panel_has_a_place_of_its_own() -> None:
    places = [
        (panel["gridPos"]["x"] + column, panel["gridPos"]["y"] + row)
        for panel in dashboard()["panels"]
        for column in range(panel["gridPos"]["w"])
        for row in range(panel["gridPos"]["h"])
    ]

    assert len(places) == len(set(places))
