"""Where an alert applies: public zone codes (UGC), the older county codes (SAME), and polygons."""

from collections.abc import Sequence
from typing import Final

Ring = Sequence[Sequence[float]]
"""Longitude and latitude of each corner, as GeoJSON has them."""

_STATES: Final = """
01AL 02AK 04AZ 05AR 06CA 08CO 09CT 10DE 11DC 12FL 13GA 15HI 16ID 17IL 18IN 19IA 20KS 21KY 22LA 23ME
24MD 25MA 26MI 27MN 28MS 29MO 30MT 31NE 32NV 33NH 34NJ 35NM 36NY 37NC 38ND 39OH 40OK 41OR 42PA 44RI
45SC 46SD 47TN 48TX 49UT 50VT 51VA 53WA 54WV 55WI 56WY 60AS 66GU 69MP 72PR 78VI
"""
"""The federal number and the postal code of each state and territory (ANSI INCITS 38)."""

_STATE_BY_FIPS: Final = {entry[:2]: entry[2:] for entry in _STATES.split()}


def county_of_same(code: str) -> str | None:
    """The county zone of a SAME code (`001129` is `ALC129`); None for what is no county of a state."""
    state = _STATE_BY_FIPS.get(code[1:3]) if len(code) == 6 and code.isdigit() else None
    return f"{state}C{code[3:]}" if state else None


def inside(latitude: float, longitude: float, ring: Ring) -> bool:
    """Whether a point lies within a closed ring, by counting crossings to its east."""
    crossings = False
    for (x1, y1, *_), (x2, y2, *_) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y1 > latitude) != (y2 > latitude):
            crossing = x1 + (latitude - y1) * (x2 - x1) / (y2 - y1)
            if longitude < crossing:
                crossings = not crossings
    return crossings
