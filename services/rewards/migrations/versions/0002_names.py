"""What tenants are called; those of before come with `propman leasing republish`."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("create table names (tenant_id uuid primary key, version bigint not null, name text not null)")
