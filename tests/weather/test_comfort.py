"""How warm or cold it feels, against the charts that the NWS publishes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.weather.domain.comfort import feels_cold, feels_hot, heat_index_f, wind_chill_f
from services.weather.domain.units import celsius, fahrenheit, metres_a_second, mph


@pytest.mark.shared_data
def test_the_heat_index_agrees_with_every_cell_of_the_published_chart(recorded: Callable[[str], Any]) -> None:
    chart = recorded("heat_index_chart_nws")
    cells = [(cell["t_f"], cell["rh"], cell["published"]) for cell in chart["cells"] if cell["agree"]]
    cells += [tuple(point) for point in chart["extra_points_from_NWS_calculator_via_MetPy_BSD3"]]

    wrong = [cell for cell in cells if round(heat_index_f(cell[0], cell[1])) != cell[2]]

    assert len(cells) == 126 + 4
    assert wrong == []


@pytest.mark.shared_data
def test_the_wind_chill_agrees_with_every_cell_of_the_published_chart(recorded: Callable[[str], Any]) -> None:
    cells = recorded("wind_chill_chart_nws")["cells"]

    wrong = [cell for cell in cells if round(wind_chill_f(cell["t_f"], cell["v_mph"])) != cell["published"]]

    assert len(cells) == 204
    assert wrong == []


@pytest.mark.parametrize(
    ("temperature", "humidity", "published"),
    [(80, 40, 80), (86, 45, 87), (92, 70, 112), (96, 60, 116), (96, 65, 121), (111, 27, 121), (110, 40, 136)],
)
def test_the_heat_index_is_the_published_one(temperature: float, humidity: float, published: int) -> None:
    assert round(heat_index_f(temperature, humidity)) == published


@pytest.mark.parametrize(
    ("temperature", "wind", "published"),
    [(40, 5, 36), (20, 15, 6), (0, 15, -19), (0, 30, -26), (-10, 55, -46), (-45, 25, -84)],
)
def test_the_wind_chill_is_the_published_one(temperature: float, wind: float, published: int) -> None:
    assert round(wind_chill_f(temperature, wind)) == published


@pytest.mark.parametrize(("temperature", "wind"), [(51, 20), (10, 3), (10, 0)])
def test_without_cold_or_wind_the_air_feels_as_it_is(temperature: float, wind: float) -> None:
    assert wind_chill_f(temperature, wind) == temperature


def test_what_is_not_known_leaves_the_air_as_it_is() -> None:
    assert feels_hot(35, None) == 35
    assert feels_cold(-10, None) == -10


@given(temperature=some.floats(-90, 60), humidity=some.floats(0, 100), wind=some.floats(0, 110))
def test_it_never_feels_cooler_than_hot_air_or_warmer_than_cold_air(
    temperature: float, humidity: float, wind: float
) -> None:
    assert feels_hot(temperature, humidity) >= temperature
    assert feels_cold(temperature, wind) <= temperature


@given(value=some.floats(-100, 150))
def test_units_survive_the_way_there_and_back(value: float) -> None:
    assert fahrenheit(celsius(value)) == pytest.approx(value, abs=1e-9)
    assert mph(metres_a_second(value)) == pytest.approx(value, abs=1e-9)
