"""How warm or cold it feels. In °F, per cent and mph, because that is how the rules are published."""

from math import sqrt

from services.weather.domain.units import celsius, fahrenheit, mph


def heat_index_f(temperature: float, humidity: float) -> float:
    """The heat index in °F of an air temperature in °F and a relative humidity in per cent.

    Rothfusz's regression with both adjustments, as the NWS Weather Prediction Center publishes it
    (wpc.ncep.noaa.gov/html/heatindex_equation.shtml). For shade; full sun adds up to 15 °F.
    """
    t, r = temperature, humidity
    simple = 0.5 * (t + 61.0 + (t - 68.0) * 1.2 + r * 0.094)
    averaged = (simple + t) / 2
    if averaged < 80:
        return averaged
    full = (
        -42.379
        + 2.04901523 * t
        + 10.14333127 * r
        - 0.22475541 * t * r
        - 0.00683783 * t * t
        - 0.05481717 * r * r
        + 0.00122874 * t * t * r
        + 0.00085282 * t * r * r
        - 0.00000199 * t * t * r * r
    )
    return full + _adjustment(t, r)


def _adjustment(t: float, r: float) -> float:
    if r < 13 and 80 <= t <= 112:
        return -((13 - r) / 4) * sqrt((17 - abs(t - 95)) / 17)
    if r > 85 and 80 <= t <= 87:
        return ((r - 85) / 10) * ((87 - t) / 5)
    return 0.0


def wind_chill_f(temperature: float, wind: float) -> float:
    """The wind chill in °F of an air temperature in °F and a wind in mph at 10 m.

    The NWS formula of 2001; it holds at 50 °F and below with more than 3 mph, otherwise air is as it is.
    """
    if temperature > 50 or wind <= 3:
        return temperature
    power = float(wind**0.16)
    return 35.74 + 0.6215 * temperature - 35.75 * power + 0.4275 * temperature * power


def feels_hot(temperature_c: float, humidity: float | None) -> float:
    """How hot it feels, in °C: the heat index, or the air where that is hotter or humidity is unknown."""
    if humidity is None:
        return temperature_c
    return max(temperature_c, celsius(heat_index_f(fahrenheit(temperature_c), humidity)))


def feels_cold(temperature_c: float, wind_ms: float | None) -> float:
    """How cold it feels, in °C: the wind chill, or the air where that is colder or wind is unknown."""
    if wind_ms is None:
        return temperature_c
    return min(temperature_c, celsius(wind_chill_f(fahrenheit(temperature_c), mph(wind_ms))))
