"""Commands of other packages: found without being run, and never in the way of ours."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import Ran, run_propman

Install = Callable[..., Path]

WAVE = '''"""Waving."""
def wave(name: str, loudly: bool = False) -> None:
    """Say hello to somebody."""
    print("HELLO" if loudly else "hello", name)
'''
GROUP = '''from shared.cli import service_app, print_json, CommandError
app = service_app("garden", "What grows.")

@app.command()
async def water_plants(dry: bool = False) -> None:
    """Water them."""
    if dry:
        raise CommandError("There is no water.", remedy="Wait for rain.")
    print_json({"watered": 3})
'''

THEIR_WAY = """import typer
app = typer.Typer()

@app.command()
def paint(coats: int = typer.Option(1, min=1)) -> None:
    print(coats)

@app.command()
def sand() -> None:
    raise typer.Exit(5)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package on the path as an installer would, with the commands it declares."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(name: str, commands: str, module: str = "", summary: str = "") -> Path:
        info = tmp_path / f"{name.replace('-', '_')}-1.dist-info"
        info.mkdir()
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n" + (
            f"Summary: {summary}\n" if summary else ""
        )
        (info / "METADATA").write_text(about, encoding="utf-8")
        declared = info / "entry_points.txt"
        declared.write_text(f"[propman.commands]\n{commands}\n", encoding="utf-8")
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(module, encoding="utf-8")
        return declared

    yield put
    for name in set(sys.modules) - before:
        del sys.modules[name]


async def run(*words: str) -> Ran:
    return await run_propman(*words, environment={})


async def test_another_package_adds_a_command_by_an_entry_point(install: Install) -> None:
    install("acme-wave", "wave = acme_wave:wave", WAVE, summary="Waves at people.")

    shown, ran = await run("--help"), await run("wave", "Ann", "--loudly")

    assert "wave" in shown.out.partition("Added by other packages:")[2]
    assert "Waves at people. From acme-wave." in " ".join(shown.out.split())
    assert (ran.code, ran.out) == (0, "HELLO Ann\n")
    assert "Say hello to somebody." in (await run("wave", "--help")).out


async def test_a_group_of_commands_behaves_as_ours_do(install: Install) -> None:
    install("acme-garden", "garden = acme_garden:app", GROUP)

    ran, failed = await run("garden", "water_plants"), await run("garden", "water-plants", "--dry")

    assert ran.json == {"watered": 3}
    assert (failed.code, failed.err) == (1, "Error: There is no water. Wait for rain.\n")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("paint --coats 0", "--coats: 0 is too small; give 1 or more. See `propman fence paint --help`."),
        ("paint --coats", "--coats needs a value. See `propman fence --help`."),
        ("saw", "There is no command 'saw'. See `propman fence --help`."),
    ],
)
async def test_what_is_mistyped_is_one_line_also_where_a_package_uses_typer_its_own_way(
    install: Install, typed: str, line: str
) -> None:
    install("acme-fence", "fence = acme_fence:app", THEIR_WAY)

    ran, ended = await run("fence", *typed.split()), await run("fence", "sand")

    assert (ran.code, ran.out, ran.err) == (2, "", f"Error: {line}\n")
    assert (ended.code, ended.out, ended.err) == (5, "", "")


async def test_an_underscore_in_a_name_is_the_old_spelling_of_a_dash(install: Install) -> None:
    install("acme-wave", "wave_hello = acme_wave:wave", WAVE)

    assert "wave-hello" in (await run("--help")).out
    assert (await run("wave_hello", "Ann")).out == (await run("wave-hello", "Ann")).out == "hello Ann\n"


async def test_help_imports_nothing_of_other_packages(install: Install) -> None:
    install("acme-wave", "wave = acme_wave:wave", "raise RuntimeError('was loaded')")

    shown = await run("--help")

    assert (shown.code, shown.err) == (0, "")
    assert "From acme-wave." in shown.out


@pytest.mark.parametrize(
    ("commands", "module", "reason"),
    [
        ("wave = acme_wave:wave", "import no_such_library", "No module named 'no_such_library'"),
        ("wave = acme_wave:wave", "raise RuntimeError('out\\nof order')", "RuntimeError: out of order"),
        ("wave = acme_wave:wave", "raise SystemExit(7)", "SystemExit: 7"),
        ("wave = acme_wave:wave", "def broken(", "SyntaxError"),
        ("wave = acme_wave:wave", "", "has no attribute 'wave'"),
        ("wave = acme_wave:wave", "wave = 3", "acme_wave:wave is neither a Typer app nor a function"),
        ("wave = acme_wave:wave", "def wave(when: int | str): ...", "AssertionError"),
        ("wave = no_such_module", "", "No module named 'no_such_module'"),
        ("wave = :", "", "ValueError"),
    ],
)
async def test_a_command_that_cannot_be_loaded_is_one_line_that_names_its_package(
    install: Install, commands: str, module: str, reason: str
) -> None:
    install("acme-wave", commands, module)

    ran = await run("wave")

    assert (ran.code, ran.out) == (1, "")
    [line] = ran.err.splitlines()
    assert line.startswith("Error: `propman wave` is acme-wave's and cannot be loaded: ")
    assert reason in line
    assert (await run("outbox", "--help")).code == (await run("--help")).code == 0


@pytest.mark.parametrize("name", ["billing", "doctor", "dead_letters"])
async def test_a_name_of_ours_is_ours(install: Install, name: str) -> None:
    install("acme-evil", f"{name} = acme_evil:wave", WAVE)

    ran, shown = await run(name, "--help"), await run("--help")

    assert ran.code == 0
    assert "Say hello" not in ran.out
    line = (
        f"acme-evil brings a command {name.replace('_', '-')!r}, which is Propman's own; theirs is left out."
    )
    assert line in ran.err
    assert line in shown.err
    assert "acme-evil" not in shown.out


async def test_of_two_packages_with_one_name_neither_is_used(install: Install) -> None:
    install("acme-wave", "wave = acme_wave:wave", WAVE)
    install("beta-wave", "wave = beta_wave:wave\nwave-more = beta_wave:wave", WAVE)

    ran, other = await run("wave", "Ann"), await run("wave-more", "Ann")

    assert ran.code == 2
    assert "acme-wave and beta-wave bring the same command 'wave'; none is used" in ran.err
    assert (other.code, other.out, other.err) == (0, "hello Ann\n", "")


async def test_the_same_package_twice_on_the_path_is_one(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = install("acme-wave", "wave = acme_wave:wave", WAVE)
    second = tmp_path / "also" / declared.parent.name
    second.mkdir(parents=True)
    for file in declared.parent.iterdir():
        (second / file.name).write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(str(second.parent))

    assert (await run("wave", "Ann")).out == "hello Ann\n"


@pytest.mark.parametrize("name", ["Wave", "wave me", "-wave", "wäve"])
async def test_a_name_nobody_could_type_is_left_out_with_a_line(install: Install, name: str) -> None:
    install("acme-wave", f"{name} = acme_wave:wave", WAVE)

    shown = await run("--help")

    assert shown.code == 0
    assert f"acme-wave brings a command named {name!r}" in shown.err


@pytest.mark.parametrize(
    "declared", [b"[propman.commands]\nno entry point\n", b"[propman.commands]\n\xff\xfe"]
)
async def test_a_package_that_cannot_even_be_read_spoils_no_other(install: Install, declared: bytes) -> None:
    install("acme-broken", "").write_bytes(declared)
    install("acme-wave", "wave = acme_wave:wave", WAVE)

    shown, ran = await run("--help"), await run("wave", "Ann")

    assert shown.err.startswith("acme-broken declares its commands unreadably")
    assert (ran.code, ran.out, ran.err) == (0, "hello Ann\n", "")
