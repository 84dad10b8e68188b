"""Work orders, their history and their numbers."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    """create table work_orders (
        id uuid constraint pk_work_orders primary key, version integer not null,
        number text not null constraint uq_work_orders_number unique,
        reference text constraint uq_work_orders_reference unique,
        property_id uuid not null constraint fk_work_orders_property_id references properties,
        unit_id uuid constraint fk_work_orders_unit_id references units,
        title text not null, description text not null, category text not null,
        priority text not null constraint ck_work_orders_priority
            check (priority in ('emergency', 'high', 'normal', 'low')),
        reported_by uuid constraint fk_work_orders_reported_by references tenants,
        state text not null constraint ck_work_orders_state
            check (state in ('open', 'assigned', 'scheduled', 'done', 'cancelled')),
        assignee_name text, assignee_email text,
        scheduled_from timestamptz, scheduled_until timestamptz,
        opened_at timestamptz not null, changed_at timestamptz not null, closed_at timestamptz,
        constraint ck_work_orders_window
            check ((scheduled_from is null) = (scheduled_until is null) and scheduled_from < scheduled_until),
        constraint ck_work_orders_scheduled check (state <> 'scheduled' or scheduled_from is not null),
        constraint ck_work_orders_assigned
            check (state not in ('assigned', 'scheduled') or assignee_name is not null),
        constraint ck_work_orders_closed
            check ((state in ('done', 'cancelled')) = (closed_at is not null)))""",
    "create index ix_work_orders_property_id on work_orders (property_id)",
    "create index ix_work_orders_unit_id on work_orders (unit_id)",
    "create index ix_work_orders_unfinished on work_orders (priority, opened_at) where closed_at is null",
    """create table work_order_history (
        work_order_id uuid not null constraint fk_work_order_history_work_order_id references work_orders,
        position integer not null, version integer not null,
        at timestamptz not null, by text not null, action text not null, reason text, changes jsonb not null,
        constraint pk_work_order_history primary key (work_order_id, position))""",
    """create function work_order_history_is_kept() returns trigger language plpgsql as $$
        begin raise exception 'the history of work orders is only ever added to'; end $$""",
    """create trigger work_order_history_is_kept before update on work_order_history
        for each row execute function work_order_history_is_kept()""",
    """create table work_order_numbers (
        year smallint constraint pk_work_order_numbers primary key, last integer not null)""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
