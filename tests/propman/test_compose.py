"""What docker compose hands to the containers is what the services are configured by."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from propman.catalog import service_names

ROOT = Path(__file__).parents[2]
OVER_ALL = ("setup", "propman")


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return loaded


def variables_of(service: str) -> set[str]:
    """Not the port: the health check, Prometheus and the documents know it as it is."""
    settings = importlib.import_module(f"services.{service}.settings").Settings
    prefix = settings.model_config["env_prefix"]
    fields = settings.model_fields.items()
    return {
        str(field.validation_alias or prefix + name.upper()) for name, field in fields if name != "http_port"
    }


@pytest.mark.parametrize("service", service_names())
def test_every_setting_of_a_service_reaches_its_container(service: str) -> None:
    assert variables_of(service) - set(compose()[service]["environment"]) == set()


@pytest.mark.parametrize("container", OVER_ALL)
def test_whoever_serves_all_services_has_the_settings_of_each(container: str) -> None:
    wanted = set().union(*map(variables_of, service_names()))

    assert wanted - set(compose()[container]["environment"]) == set()


def test_no_container_is_given_what_is_not_a_setting() -> None:
    known = set().union(*map(variables_of, service_names())) | {"PROPMAN_POSTGRES_URL"}
    containers = compose()
    given = set().union(*(containers[name]["environment"] for name in (*service_names(), *OVER_ALL)))

    assert given - known == set()


@pytest.mark.parametrize("service", service_names())
def test_health_is_asked_at_the_services_own_port(service: str) -> None:
    port = importlib.import_module(f"services.{service}.settings").Settings.model_fields["http_port"].default

    assert f":{port}/health/ready" in compose()[service]["healthcheck"]["test"][-1]


def test_only_the_one_shot_setup_knows_the_administrator() -> None:
    knows = {name for name, it in compose().items() if "PROPMAN_POSTGRES_URL" in it.get("environment", {})}

    assert knows == {"setup"}


def test_a_command_of_the_operators_migrates_nothing() -> None:
    assert "setup" not in compose()["propman"]["depends_on"]


def test_no_health_check_can_leave_a_cookie_that_rabbitmq_may_not_read() -> None:
    assert "rabbitmq" not in " ".join(compose()["rabbitmq"]["healthcheck"]["test"])
