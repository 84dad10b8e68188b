"""The fifteen tenants: who they are, and how each of them pays."""

from collections.abc import Mapping
from dataclasses import dataclass

from propman.simulation.calendar import Span
from propman.simulation.habits import Ahead, ByItself, Habit, InFull, Instalments, OnceLate, Share, SomeDay


@dataclass(frozen=True, slots=True)
class Events:
    """In which month, from 1, something happens once; shorter spans have it earlier."""

    bounce: int
    waiver: int
    renewal: int

    @classmethod
    def of(cls, span: Span) -> "Events":
        """Of a year: a payment of the sixth bounces, a fee of the third is waived, the seventh renews."""
        count = len(span.months)
        return cls(max(count // 2, 1), max(count // 4, 1), min(count // 2 + 1, count))


def habits(span: Span, seed: int) -> Mapping[str, Habit]:
    """How everybody pays, by the name before the @ of their address."""
    events = Events.of(span)
    return {
        "perfect_payer": InFull(),
        "chronic_charlie": InFull(after_days=9, method="check"),
        "overdue_olivia": InFull(stops=3),
        "newbie_nick": InFull(),
        "auto_alice": ByItself(),
        "partial_pat": Instalments(parts=((0, 90_000), (7, 45_000)), rest_after_days=21),
        "prepay_pete": Ahead(months=3),
        "streak_sally": InFull(method="ach"),
        "walter_weekly": InFull(after_days=2, method="cash"),
        "dana_reyes": SomeDay(seed),
        "luis_ortega": OnceLate(events.bounce, after_days=12, tries=True),
        "mina_park": OnceLate(events.waiver, after_days=12),
        "omar_haddad": Share(137_700, after_days=0),
        "lina_haddad": Share(91_800, after_days=2),
        "ruth_okafor": SomeDay(seed),
    }
