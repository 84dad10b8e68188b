"""Units of leases, so that the office reads where something is and not an id.

Leases that are there have none until leasing says them again (`propman leasing republish`); their mails name
the tenants meanwhile.
"""

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.execute("alter table leases add column unit_label text")


def downgrade() -> None:
    op.execute("alter table leases drop column unit_label")
