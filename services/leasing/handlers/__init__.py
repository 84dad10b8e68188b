"""What leasing does: load, decide, save, emit. People give the orders."""

from typing import Final

from services.leasing.handlers.leases import (
    add_charge,
    change_lease,
    end_lease,
    remove_charge,
    renew_lease,
    sign_lease,
)
from services.leasing.handlers.portfolio import REPUBLISHED, ImportOutcome, import_portfolio
from services.leasing.handlers.properties import add_unit, change_property, register_property
from services.leasing.handlers.tenants import change_tenant, register_tenant
from services.leasing.handlers.work_orders import (
    Report,
    assign_work_order,
    cancel_work_order,
    change_work_order,
    complete_work_order,
    note_on_work_order,
    open_work_order,
    reopen_work_order,
    schedule_work_order,
    unassign_work_order,
)
from shared.cleaning import cleaning_router
from shared.contracts.leasing import CleanUp
from shared.messaging.router import Router

router: Final = Router("leasing")
router.include(cleaning_router("leasing", CleanUp))

__all__ = [
    "REPUBLISHED",
    "ImportOutcome",
    "Report",
    "add_charge",
    "add_unit",
    "assign_work_order",
    "cancel_work_order",
    "change_lease",
    "change_property",
    "change_tenant",
    "change_work_order",
    "complete_work_order",
    "end_lease",
    "import_portfolio",
    "note_on_work_order",
    "open_work_order",
    "register_property",
    "register_tenant",
    "remove_charge",
    "renew_lease",
    "reopen_work_order",
    "router",
    "schedule_work_order",
    "sign_lease",
    "unassign_work_order",
]
