"""`propman new-service NAME`."""

from pathlib import Path
from typing import Annotated

import typer

import propman
from propman.discovery import service_names
from propman.new_service.names import BadName, ServiceName, service_name
from propman.new_service.writing import (
    CannotWrite,
    NewFile,
    described_in,
    document,
    free_port,
    new_files,
    project_root,
    refuse_overwriting,
    replace,
    tidy,
    with_metrics,
    write,
)
from shared.cli import (
    CommandError,
    DryRunOption,
    JsonOption,
    UsageProblem,
    command_app,
    print_json,
    say,
    success,
    warning,
)

app = command_app("new-service")

NEXT = """Next:
  make check && make test ARGS="tests/{folder} tests/contracts"
  propman dev start && propman db init && propman db migrate
  propman run leasing {folder}
  propman leasing republish && propman {command} list
Then make it yours: docs/guides/add-a-service.md."""


@app.command()
def new_service(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as key-copies.")],
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Write a new service that works, with tests, to begin from.

    It consumes leasing's lease facts, plans a follow-up for each new household, and announces it; you replace
    what of it is not your business. Of what is there only Prometheus' list of services gets a line.

    \b
    Examples:
      propman new-service key-copies --dry-run
      propman new-service key-copies
    """
    chosen = _checked(name)
    try:
        root = project_root(Path(propman.__file__).parent)
        port = free_port(root)
        files = new_files(chosen, port)
        paths = [*(file.path for file in files), described_in(chosen)]
        refuse_overwriting(root, paths)
        metrics = with_metrics(root, chosen, port)
        if not dry_run:
            _write_all(root, chosen, files)
            replace(root, metrics)
    except CannotWrite as reason:
        raise CommandError(f"{reason}.", remedy=reason.remedy) from reason
    if as_json:
        where = {"service": chosen.folder, "command": chosen.command, "port": port}
        print_json(where | {"files": paths, "changed": [metrics.path], "dry_run": dry_run})
        return
    for path in (*paths, metrics.path):
        typer.echo(path)
    if dry_run:
        say("Dry run: nothing was written.")
        return
    success(f"The service {chosen.command} is written, with health and metrics on port {port}.")
    say(NEXT.format(folder=chosen.folder, command=chosen.command))


def _checked(name: str) -> ServiceName:
    from propman.main import places  # noqa: PLC0415 - the root command loads this module

    try:
        return service_name(name, service_names(), places())
    except BadName as reason:
        raise UsageProblem(f"{reason}.", remedy=reason.remedy) from reason


def _write_all(root: Path, name: ServiceName, files: list[NewFile]) -> None:
    write(root, files)
    if not tidy(root, files):
        warning("ruff is not installed here: run `make fix`.")
    write(root, [document(root, name)])
