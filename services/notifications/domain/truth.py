"""Whether what somebody is to be told is still so, looked at again when it is sent.

What is written down when a notification is made may be hours old: the tenant has paid, the storm is over,
and "in three days" is today.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from services.notifications.domain.kinds import Premise, kind_of

OPEN: Final = "open"
STAGE_PASSED: Final = "stage_passed"
_UPDATED: Final = "updated"
_BEFORE_REVISIONS: Final = 2
"""What an update counts as that was noted without its revision: newer than the first warning."""

WORK_ORDER_CHANGED: Final = "work_order_changed"

_THING: Final = {
    Premise.INVOICE_OPEN: "invoice",
    Premise.ALERT_ACTIVE: "alert",
    Premise.LINK_OPENS: "link",
}
_SUBJECT: Final = {
    Premise.INVOICE_OPEN: "invoice_id",
    Premise.ALERT_ACTIVE: "incident_id",
    Premise.LINK_OPENS: "link_id",
}


def untrue(
    template: str, context: Mapping[str, Any], standing: Mapping[str, str], today: date | None
) -> str | None:
    """Why a message is not true any more, such as `invoice_paid`; None while it is.

    `standing` says what became of the things it is about, by id; `today` is the date at the property.
    """
    premise = kind_of(template).premise
    if premise is None:
        return None
    if premise is Premise.WORK_ORDER_AS_SAID:
        newest = int(standing.get(str(context["work_order_id"]), 0))
        return WORK_ORDER_CHANGED if newest > int(context["version"]) else None
    if "items" in context:
        reasons = [_item_untrue(item, standing, today) for item in context["items"]]
        return reasons[0] if reasons and all(reasons) else None
    state = standing.get(str(context.get(_SUBJECT[premise])), OPEN)
    if state == OPEN:
        return None
    if premise is Premise.ALERT_ACTIVE and state.startswith(_UPDATED):
        return _older_news(context, state)
    return f"{_THING[premise]}_{state}"


def updated_to(revision: int) -> str:
    """The state of an alert of which a newer word was said: what waits and is older is not sent any more."""
    return f"{_UPDATED}:{revision}"


def _older_news(context: Mapping[str, Any], state: str) -> str | None:
    newest = int(state.partition(":")[2] or _BEFORE_REVISIONS)
    return f"alert_{_UPDATED}" if newest > int(context.get("revision", 1)) else None


def still_true(
    context: Mapping[str, Any], standing: Mapping[str, str], today: date | None
) -> Mapping[str, Any]:
    """The same message without those of its items that are not true any more."""
    if "items" not in context:
        return context
    items = [item for item in context["items"] if _item_untrue(item, standing, today) is None]
    total = sum(int(item["balance_cents"]) for item in items)
    return {**context, "items": items, "total_cents": total}


def _item_untrue(item: Mapping[str, Any], standing: Mapping[str, str], today: date | None) -> str | None:
    state = standing.get(str(item["invoice_id"]), OPEN)
    if state != OPEN:
        return f"invoice_{state}"
    ahead_of_time = int(item["stage"]) <= 0
    if today is not None and ahead_of_time and today > date.fromisoformat(item["due_on"]):
        return STAGE_PASSED
    return None
