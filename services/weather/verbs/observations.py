"""`propman weather observations`."""

from services.weather.domain.observations import Metric, Sample
from services.weather.domain.thresholds import shown, value_of
from services.weather.store.answers import AnswerStore
from services.weather.store.conditions import ConditionStore
from services.weather.store.places import PlaceStore
from services.weather.verbs.database import known_property, reading
from shared.cli import JsonOption, PropertyOption, print_json, print_table, warning


async def observations(property_id: PropertyOption = None, as_json: JsonOption = False) -> None:
    r"""Show what is measured and forecast, or, without a property, how well each place can be asked.

    \b
    Examples:
      propman weather observations
      propman weather observations --property 0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80
    """
    async with reading() as connection:
        if property_id is None:
            feeds = await AnswerStore(connection).feeds()
            unplaced = await PlaceStore(connection).without_place()
            names = await PlaceStore(connection).names_by_location()
        else:
            place = await known_property(connection, property_id)
            found = await ConditionStore(connection).samples(place.location_id) if place.location_id else []
    if property_id is None:
        if as_json:
            print_json({"feeds": feeds, "not_watched": [item.property_id for item in unplaced]})
            return
        rows = [
            [
                ", ".join(names.get(item.location_id, ["-"])),
                item.check,
                item.asked_at,
                item.healthy_at,
                item.stale_since,
                item.problem,
            ]
            for item in feeds
        ]
        columns = ["properties", "asks for", "asked at", "healthy at", "stale since", "problem"]
        print_table(columns, rows, empty="Nothing was asked yet.")
        for item in unplaced:
            warning(f"{item.name} has no coordinates and is not watched.")
        return
    if as_json:
        print_json([{"source": source, "fetched_at": at, "si": sample} for source, at, sample in found])
        return
    table = [
        [sample.starts_at, "now" if sample.observed else "forecast", *_values(sample), source]
        for source, _at, sample in found
    ]
    columns = ["from", "what", "air F", "feels hot F", "feels cold F", "wind mph", "gust mph", "source"]
    print_table(columns, table, empty="Nothing is known of the weather there.")


def _values(sample: Sample) -> list[float | None]:
    metrics = (Metric.AIR, Metric.HEAT, Metric.CHILL, Metric.WIND, Metric.GUST)
    values = ((metric, value_of(metric, sample)) for metric in metrics)
    return [None if value is None else shown(metric, value)[0] for metric, value in values]
