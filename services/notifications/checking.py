"""Whether every message can be written: each template, in each language, on every path through it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args, get_origin

from services.notifications.domain.kinds import KINDS
from services.notifications.domain.texts import plain_text, segments
from services.notifications.handlers import router
from services.notifications.rendering import GIVEN, LOCALES, PARTS, NotRenderable, Rendered, Templates

NAMES: Final = {
    "tenant_name": "Ann Example",
    "property_name": "Oak House",
    "home": {"unit": "2B", "tenants": ["Ann Example", "Bob Example"]},
    "today": "2026-09-02",
    "zone": "America/New_York",
}
"""What an example is told about its reader."""

SPOKEN: Final = ("cause", "level", "priority", "reason", "reversal", "state")
"""What the office reads of facts that is a code: a field whose contract lists its values."""

_OPTIONAL: Final = frozenset({"reason"})
"""Asked for with `is defined`, because two facts share a template and one lacks it."""


def example(templates: Templates, template: str, stage: str | None = None) -> dict[str, Any]:
    """A context as the facts make it, at one of the template's stages if it has any."""
    if template == "digest":
        return {"messages": [], **NAMES}
    path = templates.folder / "examples" / f"{template}.json"
    loaded: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    at_stage = stages(templates, template)[stage] if stage is not None else {}
    return {**loaded, **at_stage, **NAMES}


def stages(templates: Templates, template: str) -> Mapping[str, Mapping[str, Any]]:
    """What differs from the example at each stage of what is told in stages, such as a reminder."""
    path = templates.folder / "examples" / f"{template}.stages.json"
    found: Mapping[str, Mapping[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def rendered_example(templates: Templates, template: str, locale: str, stage: str | None = None) -> Rendered:
    """What a person would get; raises `NotRenderable`."""
    if template == "digest":
        items = [rendered_example(templates, name, locale) for name in ("reminder", "overdue")]
        return templates.render_digest(items, locale, NAMES)
    return templates.render(template, locale, example(templates, template, stage))


def names() -> list[str]:
    """Every template that messages are made from."""
    return sorted({*KINDS, "digest"})


def problems(templates: Templates) -> Iterator[str]:
    """What is wrong with the templates, a line each; nothing where all is well."""
    for template in names():
        for locale in LOCALES:
            yield from _problems(templates, template, locale)
    yield from _codes_without_words(templates)


def codes() -> Mapping[str, set[str]]:
    """Every code that a mail to the office may have to say, by its field."""
    found: dict[str, set[str]] = {name: set() for name in SPOKEN} | {"template": set(KINDS) - {"office"}}
    for subscription in router.subscriptions:
        fields = subscription.contract.model_fields
        for name in fields.keys() & found.keys():
            found[name] |= listed_values(fields[name].annotation)
    return found


def listed_values(kind: Any) -> set[str]:
    """The values that an annotation lists; none where it is open to any."""
    if get_origin(kind) is Literal:
        return set(get_args(kind))
    return {value for part in get_args(kind) for value in listed_values(part)}


def _codes_without_words(templates: Templates) -> Iterator[str]:
    for locale in LOCALES:
        words = templates.words(locale)
        for name, known in codes().items():
            for code in sorted(known - set(words.get(name, ()))):
                yield f"{locale}/codes.txt: has no words for {name} {code}"


def _problems(templates: Templates, template: str, locale: str) -> Iterator[str]:
    where = f"{locale}/{template}"
    missing = [part for part in PARTS if not (templates.folder / locale / f"{template}.{part}").exists()]
    if missing:
        yield f"{where}: has no {', '.join(missing)}"
        return
    given = {*example(templates, template), *GIVEN, "said", *_OPTIONAL}
    for file in sorted((templates.folder / locale).glob(f"{template}.*")):
        for unknown in sorted(templates.variables(f"{locale}/{file.name}") - given):
            yield f"{locale}/{file.name}: {unknown} is in no message of this kind"
    for stage in (None, *stages(templates, template)):
        yield from _problems_of_text(templates, template, locale, stage)


def _problems_of_text(templates: Templates, template: str, locale: str, stage: str | None) -> Iterator[str]:
    where = f"{locale}/{template}"
    at = f" at stage {stage}" if stage is not None else ""
    try:
        text = rendered_example(templates, template, locale, stage)
    except NotRenderable as error:
        yield f"{where}{at}: {error}"
        return
    most = KINDS[template].segments if template in KINDS else 2
    if segments(plain_text(text.sms)) > most:
        yield f"{where}.sms{at}: takes {segments(plain_text(text.sms))} text messages; {most} is the most"
