"""Leases that were sent for signature, their signers, and a link for each time one was asked to sign.

Leases that exist were signed before this was kept: they have no request, and are as active as they were.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

REASONS = "('lease_changed', 'lease_ended', 'signed_on_paper', 'address_changed', 'office')"

STATEMENTS = (
    f"""create table signature_requests (
        id uuid constraint pk_signature_requests primary key,
        lease_id uuid not null constraint fk_signature_requests_lease_id references leases,
        state text not null
            constraint ck_signature_requests_state check (state in ('out', 'signed', 'paper', 'revoked')),
        reason text constraint ck_signature_requests_reason check (reason in {REASONS}),
        document text not null, content_hash text not null,
        sent_at timestamptz not null, closed_at timestamptz, signed_on date,
        constraint ck_signature_requests_closed check ((state = 'out') = (closed_at is null)))""",
    "create index ix_signature_requests_lease_id on signature_requests (lease_id, sent_at)",
    """create unique index uq_signature_requests_out on signature_requests (lease_id) where state = 'out'""",
    """create table signers (
        id uuid constraint pk_signers primary key,
        request_id uuid not null constraint fk_signers_request_id references signature_requests,
        position smallint not null,
        role text not null constraint ck_signers_role check (role in ('tenant', 'landlord')),
        tenant_id uuid constraint fk_signers_tenant_id references tenants,
        name text not null, email text not null, locale text not null,
        signed_at timestamptz, signed_name text, ip text, user_agent text,
        constraint uq_signers_request_id_position unique (request_id, position),
        constraint ck_signers_signed check ((signed_at is null) = (signed_name is null)))""",
    "create index ix_signers_tenant_id on signers (tenant_id)",
    f"""create table signing_links (
        id uuid constraint pk_signing_links primary key,
        signer_id uuid not null constraint fk_signing_links_signer_id references signers,
        number smallint not null, sent_to text not null, url text not null,
        ticket text not null, token_hash bytea not null,
        issued_at timestamptz not null, expires_at timestamptz not null,
        state text not null constraint ck_signing_links_state
            check (state in ('pending', 'signed', 'expired', 'replaced', 'revoked')),
        reason text constraint ck_signing_links_reason check (reason in {REASONS}),
        closed_at timestamptz, remind_at timestamptz[] not null default '{{}}',
        next_reminder_at timestamptz, reminders smallint not null default 0, asked_at timestamptz,
        constraint uq_signing_links_signer_id_number unique (signer_id, number),
        constraint ck_signing_links_dates check (expires_at > issued_at),
        constraint ck_signing_links_closed check ((state = 'pending') = (closed_at is null)))""",
    "create unique index uq_signing_links_pending on signing_links (signer_id) where state = 'pending'",
    "create index ix_signing_links_expiry on signing_links (expires_at) where state = 'pending'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
