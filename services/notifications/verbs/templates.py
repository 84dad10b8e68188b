"""`propman notifications template list, check, preview`, and the OpenAPI document."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from services.notifications.checking import names, problems, rendered_example, stages
from services.notifications.domain.kinds import KINDS
from services.notifications.domain.texts import plain_text, segments
from services.notifications.openapi import openapi_document
from services.notifications.rendering import LOCALES, Rendered, Templates
from shared.cli import (
    App,
    CommandError,
    JsonOption,
    UsageProblem,
    print_json,
    print_table,
    service_app,
    success,
)

app = service_app("template", "The texts: which there are, whether they are complete, how they look.")


@app.command("list")
def list_command(as_json: JsonOption = False) -> None:
    """List the templates with their version in each language: it changes when a text does.

    \b
    Example:
      propman notifications template list
    """
    templates = Templates()
    rows = [
        {
            "template": name,
            "category": str(KINDS[name].category) if name in KINDS else "",
            "mandatory": name in KINDS and KINDS[name].mandatory,
            **{locale: templates.version(name, locale) for locale in LOCALES},
        }
        for name in names()
    ]
    if as_json:
        print_json(rows)
        return
    columns = ["template", "category", "mandatory", *LOCALES]
    print_table(columns, [[row[column] for column in columns] for row in rows])


@app.command()
def check() -> None:
    """Check that every text can be made in every language, and that no path through it lacks a value.

    \b
    Example:
      propman notifications template check
    """
    found = list(problems(Templates()))
    for line in found:
        typer.echo(line)
    if found:
        raise CommandError(f"{len(found)} problems were found.", remedy="Mend the templates named above.")
    success(f"{len(names())} templates in {len(LOCALES)} languages are complete.")


@app.command()
def preview(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="One of `template list`.")],
    locale: Annotated[str, typer.Option(help="Such as en, es or es-MX.")] = "en",
    stage: Annotated[
        str | None, typer.Option(help="Only this stage of a reminder: days after the due date, or autopay.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the HTML there.")] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Show that file in a browser.")] = False,
) -> None:
    """Show a text as somebody would get it, from an example; what is told in stages, at each of them.

    \b
    Examples:
      propman notifications template preview reminder --locale es
      propman notifications template preview reminder --stage -3
      propman notifications template preview invoice --html /tmp/invoice.html --browser
    """
    if template not in names():
        raise UsageProblem(f"There is no template {template!r}.", remedy=f"Use one of {', '.join(names())}.")
    templates = Templates()
    known = list(stages(templates, template))
    if stage is not None and stage not in known:
        remedy = f"Use one of {', '.join(known)}." if known else f"{template} is not told in stages."
        raise UsageProblem(f"There is no stage {stage!r} of {template}.", remedy=remedy)
    if html is not None:
        html.write_text(rendered_example(templates, template, locale, stage).html, encoding="utf-8")
        success(f"Written to {html}.")
        if browser:
            webbrowser.open(html.resolve().as_uri())
        return
    _show(rendered_example(templates, template, locale, stage))
    for each in known if stage is None else ():
        typer.echo(f"\n--- stage {each}\n")
        _show(rendered_example(templates, template, locale, each))


def _show(text: Rendered) -> None:
    sms = plain_text(text.sms)
    typer.echo(f"Subject: {text.subject}\n\n{text.text.strip()}\n\nText ({segments(sms)}): {sms}")


def openapi() -> None:
    """Print the OpenAPI 3.1 document of the HTTP side: reports, unsubscription, inbox.

    \b
    Example:
      propman notifications openapi > notifications.openapi.json
    """
    print_json(openapi_document())


def add_to(parent: App) -> None:
    """Register the verb that is not about a template."""
    parent.command()(openapi)
