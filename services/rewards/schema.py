"""The tables of rewards' own database."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import NAMING

metadata: Final = sa.MetaData(naming_convention=NAMING)
_MOMENT: Final = sa.DateTime(timezone=True)

# What leasing says.

properties: Final = sa.Table(
    "properties",
    metadata,
    sa.Column("property_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("lease_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("tenant_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("frequency", sa.Text, nullable=False),
)

names: Final = sa.Table(
    "names",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
)
"""What tenants are called, for a person who reads; nothing else of how to reach them."""

# What billing says: a table per fact, so that they may come in any order. None is ever changed, but for
# where the rent of an invoice stands, of which the highest revision holds.

invoices: Final = sa.Table(
    "invoices",
    metadata,
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("lease_id", sa.Uuid, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("tenant_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("issued_on", sa.Date, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("total_cents", sa.BigInteger, nullable=False),
    sa.Column("rent_cents", sa.BigInteger, nullable=False),
    sa.Column("first_fee_on", sa.Date),
    sa.Column("starts_on", sa.Date),
)

standings: Final = sa.Table(
    "standings",
    metadata,
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("covered_on", sa.Date),
)

voids: Final = sa.Table(
    "voids",
    metadata,
    sa.Column("invoice_id", sa.Uuid, primary_key=True),
    sa.Column("voided_on", sa.Date, nullable=False),
)

payments: Final = sa.Table(
    "payments",
    metadata,
    sa.Column("payment_id", sa.Uuid, primary_key=True),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("lease_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("tenant_ids", ARRAY(sa.Uuid), nullable=False),
    sa.Column("received_on", sa.Date, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
)

reversals: Final = sa.Table(
    "reversals",
    metadata,
    sa.Column("reversal_id", sa.Uuid, primary_key=True),
    sa.Column("payment_id", sa.Uuid, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("known_on", sa.Date, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("nsf_fee_cents", sa.BigInteger, nullable=False),
)

fees: Final = sa.Table(
    "fees",
    metadata,
    sa.Column("fee_id", sa.Uuid, primary_key=True),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("invoice_id", sa.Uuid, nullable=False),
    sa.Column("counts_on", sa.Date, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
)

# What the landlord says.

policies: Final = sa.Table(
    "policies",
    metadata,
    sa.Column("scope_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("effective_on", sa.Date, nullable=False),
    sa.Column("terms", JSONB, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("set_by", sa.Text, nullable=False),
    sa.Column("set_at", _MOMENT, nullable=False),
)

denials: Final = sa.Table(
    "denials",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_at", _MOMENT, nullable=False),
)

# What follows: the record is derived and may be made anew, the ledger is only ever added to.

tenants: Final = sa.Table(
    "tenants",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("streak", sa.Integer, nullable=False, server_default="0"),
    sa.Column("judged_on", sa.Date),
)

months: Final = sa.Table(
    "months",
    metadata,
    sa.Column("tenant_id", sa.Uuid, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("streak", sa.Integer, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
)

entries: Final = sa.Table(
    "entries",
    metadata,
    sa.Column("entry_id", sa.Uuid, primary_key=True),
    sa.Column("tenant_id", sa.Uuid, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("kind_of_rule", sa.Text),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("balance_cents", sa.BigInteger, nullable=False),
    sa.Column("shortfall_cents", sa.BigInteger, nullable=False),
    sa.Column("missing_cents", sa.BigInteger, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("lease_id", sa.Uuid, nullable=False),
    sa.Column("months", sa.Integer),
    sa.Column("paid_ahead_cents", sa.BigInteger),
    sa.Column("granted_entry_id", sa.Uuid),
    sa.Column("cause", sa.Text),
    sa.Column("cause_period", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("decided_by", sa.Text),
    sa.Column("posted_on", sa.Date, nullable=False),
    sa.Column("posted_at", _MOMENT, nullable=False),
)

redemptions: Final = sa.Table(
    "redemptions",
    metadata,
    sa.Column("redemption_id", sa.Uuid, primary_key=True),
    sa.Column("tenant_id", sa.Uuid, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    sa.Column("lease_id", sa.Uuid, nullable=False),
    sa.Column("property_id", sa.Uuid, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("amount_cents", sa.BigInteger, nullable=False),
    sa.Column("against", sa.Text, nullable=False),
    sa.Column("automatic", sa.Boolean, nullable=False),
    sa.Column("redeemed_on", sa.Date, nullable=False),
    sa.Column("restored_cents", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("restored_on", sa.Date),
    sa.Column("refusal", sa.Text),
)

# Work in progress.

runs: Final = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Uuid, primary_key=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("as_of", _MOMENT, nullable=False),
    sa.Column("chunks_expected", sa.Integer, nullable=False),
    sa.Column("chunks_done", sa.Integer, nullable=False, server_default="0"),
    sa.Column("examined", sa.Integer, nullable=False),
    sa.Column("granted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("revoked", sa.Integer, nullable=False, server_default="0"),
    sa.Column("redeemed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failed", sa.Integer, nullable=False, server_default="0"),
    sa.Column("problems", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("started_at", _MOMENT, nullable=False),
    sa.Column("finished_at", _MOMENT),
)
