"""The import contracts hold a small system of the right shape, and catch each forbidden arrow by name."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("app", "cli", "handlers", "store", "schema", "domain/__init__", "domain/rent")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """Two services beside the modules that shared and propman have, under the project's own contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("propman", "shared"):
        for file in (ROOT / package).rglob("*.py"):  # the names only, so that renaming one is noticed here
            a_module(tmp_path, str(file.relative_to(ROOT).parent / "__init__"))
            a_module(tmp_path, str(file.relative_to(ROOT).with_suffix("")))
    a_module(tmp_path, "services/__init__")
    for service in ("billing", "brand_new"):
        a_module(tmp_path, f"services/{service}/__init__")
        for room in ROOMS:
            a_module(tmp_path, f"services/{service}/{room}")
    a_module(tmp_path, "services/billing/handlers", "from services.billing import schema, store\n")
    a_module(
        tmp_path, "services/billing/store", "import sqlalchemy\nfrom services.billing.domain import rent\n"
    )
    return tmp_path


def a_module(root: Path, path: str, text: str = "") -> None:
    file = (root / path).with_suffix(".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def lint_imports(root: Path) -> tuple[int, str]:
    program = (
        "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


def test_a_system_of_the_right_shape_keeps_every_contract(system: Path) -> None:
    exit_code, report = lint_imports(system)

    assert exit_code == 0, report
    assert "0 broken" in report


@pytest.mark.parametrize(
    ("path", "text", "contract"),
    [
        ("services/billing/domain/rent", "import sqlalchemy", "The rules use the standard library only"),
        (
            "services/brand_new/domain/rent",
            "import shared.contracts",
            "The rules use the standard library only",
        ),
        ("services/brand_new/store", "import services.billing.store", "No service imports another"),
        (
            "services/billing/store",
            "import services.billing.handlers",
            "Inside a service, arrows run one way",
        ),
        (
            "services/brand_new/schema",
            "import services.brand_new.store",
            "Inside a service, arrows run one way",
        ),
        ("services/billing/app", "import propman.main", "Nobody imports the whole system"),
        ("shared/strays", "import services.billing", "Shared code knows neither"),
        (
            "shared/contracts/strays",
            "import shared.cli",
            "Contracts know pydantic and the standard library only",
        ),
    ],
)
def test_a_forbidden_import_breaks_the_contract_that_names_it(
    system: Path, path: str, text: str, contract: str
) -> None:
    a_module(system, path, f"{text}\n")

    exit_code, report = lint_imports(system)

    assert exit_code == 1
    [broken] = [line for line in report.splitlines() if line.endswith("BROKEN")]
    assert contract in broken
