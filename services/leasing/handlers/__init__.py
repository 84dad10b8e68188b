"""What leasing does: load, decide, save, emit. Leasing listens to nobody yet; people give the orders."""

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
from shared.messaging.router import Router

router: Final = Router("leasing")

__all__ = [
    "REPUBLISHED",
    "ImportOutcome",
    "add_charge",
    "add_unit",
    "change_lease",
    "change_property",
    "change_tenant",
    "end_lease",
    "import_portfolio",
    "register_property",
    "register_tenant",
    "remove_charge",
    "renew_lease",
    "router",
    "sign_lease",
]
