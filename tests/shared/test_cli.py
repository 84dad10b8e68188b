"""What every command promises: readable failures, exit codes, data on stdout and prose on stderr."""

import asyncio
import json
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy.exc
from pydantic import AliasChoices, BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from typer.testing import CliRunner

from shared.cli import (
    App,
    AsOfOption,
    CommandError,
    IdArgument,
    JsonOption,
    MonthOption,
    Unreachable,
    UsageProblem,
    confirm,
    json_wanted,
    load_environment,
    plain,
    print_json,
    print_table,
    progress,
    readable_failures,
    run_async,
    say,
    service_app,
    success,
)
from shared.cli.environment import parse_environment
from shared.cli.failures import explain
from shared.cli.tables import aligned, records

AN_ID = "0198c1d2-7e1a-7c3f-9b2e-3d4c5b6a7f80"


def an_app() -> App:
    app = service_app("billing", "Invoices and payments.")

    @app.command()
    async def generate_monthly_invoices(month: MonthOption = None, as_json: JsonOption = False) -> None:
        """Invoice every active lease."""
        await asyncio.sleep(0)
        with progress(1, "Invoicing") as bar:
            bar.advance()
        success("1 invoice.")
        if as_json:
            print_json({"month": month, "json": json_wanted()})
        else:
            print_table(["lease", "total"], [[AN_ID, "1.00 EUR"]])

    @app.command()
    def show(invoice: IdArgument, as_of: AsOfOption = None) -> None:
        """Show one invoice."""
        raise CommandError(
            f"There is no invoice {invoice} ({as_of}).", remedy="Try `propman billing invoices list`."
        )

    return app


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("NO_COLOR", "")  # so that what --no-color sets is undone
    return CliRunner()


# Output


def test_what_a_service_logs_at_its_work_does_not_stand_between_the_data() -> None:
    program = (
        "import structlog\n"
        "from shared.cli import JsonOption, command_app, main, print_json\n"
        "app = command_app('look')\n"
        "@app.command()\n"
        "async def look(as_json: JsonOption = False) -> None:\n"
        "    structlog.get_logger().info('looked_at_a_row')\n"
        "    structlog.get_logger().error('broken_row')\n"
        "    print_json({'rows': 1})\n"
        "main(app)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program, "--json"], capture_output=True, text=True, check=True
    )

    assert json.loads(ended.stdout) == {"rows": 1}
    assert "broken_row" in ended.stderr
    assert "looked_at_a_row" not in ended.stderr


def test_data_goes_to_stdout_and_prose_to_stderr(run: CliRunner) -> None:
    result = run.invoke(an_app(), ["generate-monthly-invoices", "--month", "2026-09"])

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == [AN_ID, "1.00", "EUR"]
    assert result.stderr == "1 invoice.\n"


def test_json_is_one_document_and_known_to_everything_the_command_calls(run: CliRunner) -> None:
    result = run.invoke(an_app(), ["generate-monthly-invoices", "--month", "2026-09", "--json"])

    assert json.loads(result.stdout) == {"month": "2026-09", "json": True}
    assert not json_wanted()


def test_colour_is_for_terminals_and_no_color_takes_it_away(run: CliRunner) -> None:
    arguments = ["generate-monthly-invoices", "--month", "2026-09"]

    assert "\x1b[32m1 invoice." in run.invoke(an_app(), arguments, color=True).stderr
    assert "\x1b" not in run.invoke(an_app(), [*arguments, "--no-color"], color=True).output


def test_a_no_color_after_two_dashes_is_an_argument(run: CliRunner) -> None:
    result = run.invoke(an_app(), ["show", "--", "--no-color"])

    assert "'--no-color' is not an id" in result.stderr


def test_a_table_in_a_pipe_has_whole_values_and_no_boxes() -> None:
    table = aligned(
        ["lease", "tenant", "total"], [[AN_ID, "Ann", "1,200.00 EUR"], [AN_ID, "Bartholomew", "9.00 EUR"]]
    )

    assert table.splitlines() == [
        "lease                                 tenant              total",
        f"{AN_ID}  Ann          1,200.00 EUR",
        f"{AN_ID}  Bartholomew      9.00 EUR",
    ]


def test_a_terminal_too_narrow_for_the_ids_gets_a_field_a_line() -> None:
    assert records(["id", "tenant"], [[AN_ID, "Ann"]]) == f"id      {AN_ID}\ntenant  Ann"


@pytest.mark.parametrize("columns", [["id", "tenant"], ["id", "tenant", "other"]])
def test_a_terminal_never_shows_half_an_id(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)

    print_table(columns, [[AN_ID, "a [b]long[/b] name " * 5, AN_ID][: len(columns)]])

    shown = capsys.readouterr().out
    assert shown.count(AN_ID) == len(columns) - 1
    assert "[b]" in shown


def test_an_empty_table_says_so_and_prints_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["id"], [], empty="No invoices yet.")

    assert capsys.readouterr() == ("", "No invoices yet.\n")


def test_json_keeps_every_digit_and_the_zone() -> None:
    @dataclass
    class Line:
        amount: Decimal

    document = {
        UUID(AN_ID): [
            date(2026, 9, 1),
            datetime(2026, 9, 1, 6, tzinfo=UTC),
            Line(Decimal("0.10")),
            {1},
            None,
            True,
        ]
    }

    assert plain(document) == {
        AN_ID: ["2026-09-01", "2026-09-01T06:00:00+00:00", {"amount": "0.10"}, [1], None, True]
    }


def test_what_json_cannot_say_is_a_defect_not_a_guess() -> None:
    with pytest.raises(TypeError, match="object cannot be shown"):
        plain(object())


# Input


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "september", "0000-01", "2026-01-01"])
def test_a_bad_month_is_a_usage_error_that_shows_the_right_form(run: CliRunner, month: str) -> None:
    result = run.invoke(an_app(), ["generate-monthly-invoices", "--month", month])

    assert result.exit_code == 2
    assert f"'{month}' is not a month. Write it as YYYY-MM" in result.stderr


def test_a_bad_id_is_a_usage_error(run: CliRunner) -> None:
    result = run.invoke(an_app(), ["show", "INV-1"])

    assert result.exit_code == 2
    assert "'INV-1' is not an id" in result.stderr


def test_a_moment_without_a_zone_is_refused(run: CliRunner) -> None:
    result = run.invoke(an_app(), ["show", AN_ID, "--as-of", "2026-09-01T06:00"])

    assert result.exit_code == 2
    assert "with a zone" in result.stderr


def test_underscore_spellings_of_the_old_system_are_accepted_unseen(run: CliRunner) -> None:
    assert run.invoke(an_app(), ["generate_monthly_invoices"]).exit_code == 0
    assert "generate_monthly_invoices" not in run.invoke(an_app(), ["--help"]).stdout


def test_an_app_with_one_command_is_still_a_group(run: CliRunner) -> None:
    app = service_app("leasing", "Leases.")
    app.group("leases", "Lease by lease.").command("list")(lambda: say("none"))

    assert run.invoke(app, ["leases", "list"]).stderr == "none\n"
    assert run.invoke(app, ["-h"]).exit_code == 0


def test_yes_and_no_input_answer_a_confirmation() -> None:
    assert confirm("Delete?", yes=True)
    assert confirm("Delete?", no_input=True)


def test_a_confirmation_nobody_can_answer_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)

    with pytest.raises(UsageProblem, match=r"Delete\?"):
        confirm("Delete?")


# Failures


def test_a_command_error_is_one_line_with_its_remedy(run: CliRunner) -> None:
    result = run.invoke(an_app(), ["show", AN_ID])

    assert result.exit_code == 1
    assert (
        result.stderr == f"Error: There is no invoice {AN_ID} (None). Try `propman billing invoices list`.\n"
    )


def test_a_database_that_does_not_answer_is_named_and_ends_with_three(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_async(asyncpg.connect(f"postgresql://u:hush@127.0.0.1:{a_free_port()}/x"))

    shown = capsys.readouterr().err
    assert ended.value.code == 3
    assert shown.startswith("Error: The database cannot be reached")
    assert shown.count("\n") == 1
    assert "hush" not in shown


def test_a_broker_that_does_not_answer_is_named_and_ends_with_three() -> None:
    program = "import aio_pika; from shared.cli import run_async; run_async(aio_pika.connect({!r}))"
    url = f"amqp://u:hush@127.0.0.1:{a_free_port()}/"

    ended = subprocess.run(
        [sys.executable, "-c", program.format(url)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 3
    assert ended.stderr.startswith("Error: The message broker cannot be reached")
    assert ended.stderr.count("\n") == 1
    assert "hush" not in ended.stderr


@pytest.mark.parametrize(
    ("failure", "exit_code", "remedy"),
    [
        (asyncpg.UndefinedTableError('relation "invoices" does not exist'), 1, "propman db migrate"),
        (asyncpg.UndefinedColumnError('column "paid_at" does not exist'), 1, "propman db migrate"),
        (asyncpg.InvalidCatalogNameError('database "propman_billing" does not exist'), 3, "propman db init"),
        (asyncpg.InvalidPasswordError('password authentication failed for user "u"'), 3, "DATABASE_URL"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 5432)"), 3, "propman dev start"),
        (socket.gaierror(-2, "Name or service not known"), 3, "propman dev start"),
        (FileNotFoundError(2, "No such file or directory", "leases.csv"), 2, "path"),
        (KeyError("lease"), 1, "PROPMAN_DEBUG=1"),
    ],
)
def test_each_failure_says_what_to_do_next(failure: Exception, exit_code: int, remedy: str) -> None:
    problem = explain(failure)

    assert problem.exit_code == exit_code
    assert remedy in (problem.remedy or "")


def test_a_driver_error_is_recognised_inside_its_wrapping() -> None:
    wrapped = sqlalchemy.exc.ProgrammingError("SELECT 1", {}, asyncpg.UndefinedTableError("no table"))

    assert explain(ExceptionGroup("tasks", [wrapped])).remedy == "Run `propman db migrate`."


def test_an_address_is_shown_and_a_password_is_not() -> None:
    assert (
        "at 127.0.0.1:5432"
        in explain(ConnectionRefusedError("Connect call failed ('127.0.0.1', 5432)")).message
    )
    assert "hush" not in explain(ValueError("cannot use postgresql://u:hush@db/x")).message


class BillingSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BILLING_")

    chunk_size: int = 500
    database_url: SecretStr
    broker: SecretStr = Field(validation_alias=AliasChoices("broker", "PROPMAN_RABBITMQ_URL"))
    zone: str = Field("UTC", validation_alias="PROPMAN_ZONE")

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        if zone != "UTC":
            raise ValueError("must be a zone")
        return zone


def test_a_wrong_setting_names_its_variable_and_never_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_CHUNK_SIZE", "hush")
    monkeypatch.setenv("PROPMAN_ZONE", "hush")

    with pytest.raises(ValueError, match="4 validation errors") as failed:
        BillingSettings()

    problem = explain(failed.value)
    assert problem.exit_code == 2
    assert "BILLING_CHUNK_SIZE: Input should be a valid integer" in problem.message
    assert "BILLING_DATABASE_URL is not set; PROPMAN_RABBITMQ_URL is not set" in problem.message
    assert "PROPMAN_ZONE: must be a zone" in problem.message
    assert "hush" not in problem.message
    assert "\n" not in problem.message


def test_each_service_may_call_its_settings_the_same() -> None:
    def settings_of(service: str) -> type[BaseSettings]:
        class Settings(BaseSettings):
            model_config = SettingsConfigDict(env_prefix=f"{service}_")

            database_url: SecretStr

        return Settings

    classes = [settings_of("LEASING"), settings_of("BILLING")]

    for settings in classes:
        with pytest.raises(ValueError, match="1 validation error") as failed:
            settings()
        prefix = settings.model_config["env_prefix"]
        assert explain(failed.value).message == f"{prefix}DATABASE_URL is not set."


def test_a_message_that_fails_its_contract_is_not_a_wrong_setting() -> None:
    class Contract(BaseModel):
        total_cents: int

    with pytest.raises(ValueError, match="1 validation error") as failed:
        Contract.model_validate({"total_cents": "x"})

    assert explain(failed.value).message.startswith("Unexpected ValidationError")


def test_an_interrupt_ends_with_130() -> None:
    with pytest.raises(SystemExit) as ended, readable_failures():
        raise KeyboardInterrupt

    assert ended.value.code == 130


@pytest.mark.parametrize(("debug", "shown"), [("1", True), ("0", False), ("", False)])
def test_the_traceback_is_shown_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], debug: str, shown: bool
) -> None:
    monkeypatch.setenv("PROPMAN_DEBUG", debug)

    with pytest.raises(SystemExit), readable_failures():
        raise Unreachable("Down.")

    assert ("Traceback" in capsys.readouterr().err) is shown


# The environment file


def test_the_environment_file_fills_only_what_is_not_set(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "propman.env").write_text(
        "A=1\n# B=2\nexport C='$x y'\nD=p=q\nnonsense\n", encoding="utf-8"
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    environ = {"A": "mine"}

    load_environment(environ, start=below)

    assert environ == {"A": "mine", "C": "$x y", "D": "p=q"}


def test_a_named_home_is_the_only_place_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "propman.env").write_text("A=1", encoding="utf-8")
    environ = {"PROPMAN_HOME": str(tmp_path / "elsewhere")}

    assert load_environment(environ, start=tmp_path) is None


def test_an_environment_file_is_not_expanded() -> None:
    assert parse_environment('URL="amqp://u:$p@h/"') == {"URL": "amqp://u:$p@h/"}


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
