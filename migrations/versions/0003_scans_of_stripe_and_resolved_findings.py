"""The reconciler's progress, how a finding was resolved, and which events still carry a payload."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "reconcile_scans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_key", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cursor", sa.String(length=255), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("healed_count", sa.Integer(), nullable=False),
        sa.Column("unhealed_count", sa.Integer(), nullable=False),
        sa.Column("outcomes", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('sessions', 'refunds', 'disputes', 'orders')", name=op.f("ck_reconcile_scans_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconcile_scans")),
        sa.UniqueConstraint("run_key", "kind", name=op.f("uq_reconcile_scans_run_key_kind")),
    )
    op.create_index(op.f("ix_reconcile_scans_finished_at"), "reconcile_scans", ["finished_at"])
    with op.batch_alter_table("findings") as batch_op:
        batch_op.add_column(sa.Column("resolution", sa.Text(), nullable=True))
    op.create_index(
        "ix_stripe_events_with_payload",
        "stripe_events",
        ["received_at"],
        sqlite_where=sa.text("payload <> ''"),
        postgresql_where=sa.text("payload <> ''"),
    )


def downgrade():
    op.drop_index("ix_stripe_events_with_payload", table_name="stripe_events")
    with op.batch_alter_table("findings") as batch_op:
        batch_op.drop_column("resolution")
    op.drop_index(op.f("ix_reconcile_scans_finished_at"), table_name="reconcile_scans")
    op.drop_table("reconcile_scans")
