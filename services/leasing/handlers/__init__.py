"""What leasing does: load, decide, save, emit. People give the orders, and the scheduler tells the hour."""

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
from services.leasing.handlers.signatures import ask_for_link, give_signature
from services.leasing.handlers.signing import (
    record_paper,
    resend_links,
    revoke_links,
    send_for_signature,
    signature_of,
)
from services.leasing.handlers.signing_expiry import expire_and_remind, look_at_links
from services.leasing.handlers.signing_expiry import router as expiry
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
router.include(expiry, cleaning_router("leasing", CleanUp))

__all__ = [
    "REPUBLISHED",
    "ImportOutcome",
    "Report",
    "add_charge",
    "add_unit",
    "ask_for_link",
    "assign_work_order",
    "cancel_work_order",
    "change_lease",
    "change_property",
    "change_tenant",
    "change_work_order",
    "complete_work_order",
    "end_lease",
    "expire_and_remind",
    "give_signature",
    "import_portfolio",
    "look_at_links",
    "note_on_work_order",
    "open_work_order",
    "record_paper",
    "register_property",
    "register_tenant",
    "remove_charge",
    "renew_lease",
    "reopen_work_order",
    "resend_links",
    "revoke_links",
    "router",
    "schedule_work_order",
    "send_for_signature",
    "sign_lease",
    "signature_of",
    "unassign_work_order",
]
