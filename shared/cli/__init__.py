"""What every command of ours looks and feels like: options, output styles, exit codes.

A service's `cli.py` needs this package and its own service, nothing else::

    app = service_app("billing", "Invoices, payments and late fees.")

    @app.command()
    async def generate_monthly_invoices(month: MonthOption = None, as_json: JsonOption = False) -> None:
        ...

Heavy libraries (rich, pydantic, drivers) are imported when a command needs them, so that `--help` is quick.
"""

from shared.cli.app import App, command_app, main, run_program, service_app
from shared.cli.confirmation import confirm
from shared.cli.environment import load_environment
from shared.cli.errors import CommandError, Unreachable, UsageProblem
from shared.cli.options import (
    AsOfOption,
    CsvOption,
    DryRunOption,
    EnqueueOption,
    IdArgument,
    JsonOption,
    LeaseOption,
    LimitOption,
    MonthArgument,
    MonthOption,
    NoInputOption,
    PropertyOption,
    TenantOption,
    YesOption,
    date_option,
    id_option,
    parse_date,
    parse_id,
    parse_instant,
    parse_month,
)
from shared.cli.output import (
    counted,
    error,
    json_wanted,
    plain,
    print_csv,
    print_json,
    print_record,
    print_table,
    say,
    success,
    warning,
)
from shared.cli.persons import ByOption, signed
from shared.cli.progress import Progress, progress
from shared.cli.running import readable_failures, run_async

__all__ = [
    "App",
    "AsOfOption",
    "ByOption",
    "CommandError",
    "CsvOption",
    "DryRunOption",
    "EnqueueOption",
    "IdArgument",
    "JsonOption",
    "LeaseOption",
    "LimitOption",
    "MonthArgument",
    "MonthOption",
    "NoInputOption",
    "Progress",
    "PropertyOption",
    "TenantOption",
    "Unreachable",
    "UsageProblem",
    "YesOption",
    "command_app",
    "confirm",
    "counted",
    "date_option",
    "error",
    "id_option",
    "json_wanted",
    "load_environment",
    "main",
    "parse_date",
    "parse_id",
    "parse_instant",
    "parse_month",
    "plain",
    "print_csv",
    "print_json",
    "print_record",
    "print_table",
    "progress",
    "readable_failures",
    "run_async",
    "run_program",
    "say",
    "service_app",
    "signed",
    "success",
    "warning",
]
