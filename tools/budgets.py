"""The house rules no linter knows: how long things may be, and what must not appear where.

Run by `make check`. A rule review keeps repeating belongs here, with a test in tests/tools/.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from typing_extensions import override

PRODUCTION = ("propman", "services", "shared")
CHECKED = (*PRODUCTION, "tests", "benchmarks", "tools")

LONGEST_FUNCTION = 50
LONG_FUNCTION = 30  # 95 of 100 functions stay within this
LONGEST_FILE = 400
LONGEST_TEST_FILE = 600

# These names say nothing about what is inside, so everything ends up there.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "service", "models", "misc"}
CLOCK = Path("shared/clock.py")
CLOCK_READS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule, where an editor can jump to it."""

    path: Path
    line: int
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One Python file, read and parsed once; its path is relative to the project."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def is_production(self) -> bool:
        """Whether it is part of what is installed, and not a test or a tool."""
        return self.path.parts[0] in PRODUCTION

    def finding(self, line: int, text: str) -> Finding:
        """A finding in this file."""
        return Finding(self.path, line, text)


def sources(root: Path) -> Iterator[Source]:
    """Every Python file the rules are about."""
    for folder in CHECKED:
        for file in sorted((root / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            yield Source(file.relative_to(root), text, ast.parse(text, filename=str(file)))


def functions(source: Source) -> Iterator[Function]:
    """Functions with a budget; a migration is a list of statements and has none."""
    if "migrations" not in source.path.parts:
        yield from (node for node in ast.walk(source.tree) if isinstance(node, Function))


def length(source: Source, function: Function) -> int:
    """Lines that do something: neither blank nor docstring."""
    lines = source.text.splitlines()[function.lineno - 1 : function.end_lineno]
    docstring = function.body[0] if ast.get_docstring(function, clean=False) is not None else None
    start, end = (docstring.lineno, docstring.end_lineno or 0) if docstring else (0, -1)
    numbered = enumerate(lines, start=function.lineno)
    return sum(1 for number, line in numbered if line.strip() and not start <= number <= end)


def long_functions(source: Source) -> Iterator[Finding]:
    """No function is longer than a screen."""
    for function in functions(source):
        lines = length(source, function)
        if lines > LONGEST_FUNCTION:
            text = f"{function.name} has {lines} lines; {LONGEST_FUNCTION} is the most"
            yield source.finding(function.lineno, text)


def long_file(source: Source) -> Iterator[Finding]:
    """No file is longer than one sitting."""
    most = LONGEST_FILE if source.is_production or source.path.parts[0] == "tools" else LONGEST_TEST_FILE
    lines = len(source.text.splitlines())
    if lines > most:
        yield source.finding(1, f"the file has {lines} lines; {most} is the most")


def empty_name(source: Source) -> Iterator[Finding]:
    """A file or folder is named for what is in it."""
    for name in EMPTY_NAMES & {*source.path.parts[:-1], source.path.stem}:
        yield source.finding(1, f"{name!r} says nothing about what is inside: name it after its subject")


def clock_reads(source: Source) -> Iterator[Finding]:
    """Time is an argument; the one clock is shared/clock.py."""
    if not source.is_production or source.path == CLOCK:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.ImportFrom) and (read := _clock_read(node)):
            yield source.finding(node.lineno, f"{read}: only {CLOCK} reads the clock, others are told")


def _clock_read(node: ast.Attribute | ast.ImportFrom) -> str | None:
    if isinstance(node, ast.Attribute):
        name = f"{_last_name(node.value)}.{node.attr}"
        return name if name in CLOCK_READS else None
    imported = {f"{node.module}.{alias.name}" for alias in node.names}
    return "time.time" if "time.time" in imported else None


def commits(source: Source) -> Iterator[Finding]:
    """One message is one transaction, and the edge in shared/ owns it."""
    if not source.is_production or source.path.parts[0] == "shared":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield source.finding(node.lineno, "commits: the transaction belongs to the edge in shared/")


def foreign_imports(source: Source) -> Iterator[Finding]:
    """Rules know the standard library only; contracts know pydantic besides."""
    allowed = _allowed_imports(source.path)
    if allowed is None:
        return
    for line, module in _imports(source.tree):
        known = module.partition(".")[0] in sys.stdlib_module_names
        if not known and not any(module == name or module.startswith(f"{name}.") for name in allowed):
            yield source.finding(
                line, f"imports {module}: only the standard library and {', '.join(allowed)}"
            )


def _allowed_imports(path: Path) -> tuple[str, ...] | None:
    match path.parts:
        case ("services", service, "domain", *_):
            return (f"services.{service}.domain", "shared.documents", "shared.money")
        case ("services", service, "domain.py"):
            return ("shared.money",)
        case ("shared", "contracts", *_):
            # typing_extensions comes with pydantic, and is the standard library of a later Python.
            return ("shared.contracts", "pydantic", "typing_extensions")
        case _:
            return None


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            # `from services.billing import domain` names the module in its second half
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _last_name(node: ast.expr) -> str:
    """`datetime` of both `datetime.now` and `datetime.datetime.now`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


RULES: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    long_functions,
    long_file,
    empty_name,
    clock_reads,
    commits,
    foreign_imports,
)


def check(found: list[Source]) -> list[Finding]:
    """All rules on all files, and the one rule about all functions together."""
    findings = sorted(finding for source in found for rule in RULES for finding in rule(source))
    lengths = function_lengths(found)
    if lengths and percentile_95(lengths) > LONG_FUNCTION:
        text = f"95 of 100 functions have up to {percentile_95(lengths)} lines; {LONG_FUNCTION} is the most"
        findings.append(Finding(Path(), 1, text))
    return findings


def function_lengths(found: list[Source]) -> list[int]:
    """Of production code: tests are told as stories, and have the ceiling alone."""
    return [
        length(source, function) for source in found if source.is_production for function in functions(source)
    ]


def percentile_95(lengths: list[int]) -> int:
    """The length that 95 of 100 functions stay within."""
    return round(quantiles([*lengths, *lengths], n=20, method="inclusive")[-1])


def main(root: Path) -> int:
    """Print what is broken, or how much room is left."""
    try:
        found = list(sources(root))
    except SyntaxError as mistake:
        print(f"{mistake.filename}:{mistake.lineno}: {mistake.msg}")
        return 1
    findings = check(found)
    for finding in findings:
        print(finding)
    lengths = function_lengths(found) or [0]
    print(
        f"{len(found)} files, {len(lengths)} functions: median {median(lengths):.0f} lines, "
        f"95 % within {percentile_95(lengths)}, longest {max(lengths)}; {len(findings)} findings"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
