"""Asking PostgreSQL how it would run a query."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles


class Explain(sa.Executable, sa.ClauseElement):
    """A query's plan, with the very parameters it is run with."""

    inherit_cache = False

    def __init__(self, query: sa.Select[Any]) -> None:
        self.query = query


@compiles(Explain)
def _explain(element: Explain, compiler: Any, **options: Any) -> str:
    return f"explain {compiler.process(element.query, **options)}"
