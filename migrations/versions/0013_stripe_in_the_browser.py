"""Stripe in the browser: lists of events, replays, refused webhooks, the doctor's runs, what Stripe has, the worker's beats."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


UNSENT_PRICE = sa.text("status = 'active' AND type = 'one_time' AND unit_amount > 0 AND stripe_price_id IS NULL")


def upgrade():
    op.create_index(
        "ix_prices_unsent", "prices", ["product_id"], sqlite_where=UNSENT_PRICE, postgresql_where=UNSENT_PRICE
    )
    with op.batch_alter_table("stripe_events") as batch_op:
        batch_op.add_column(sa.Column("replay_count", sa.Integer(), nullable=False, server_default="0"))
        batch_op.drop_index(op.f("ix_stripe_events_type"))
        batch_op.create_index("ix_stripe_events_received", ["received_at", "id"])
        batch_op.create_index("ix_stripe_events_in_state", ["state", "received_at", "id"])
        batch_op.create_index("ix_stripe_events_of_type", ["type", "received_at", "id"])
    with op.batch_alter_table("stripe_events") as batch_op:
        batch_op.alter_column("replay_count", existing_type=sa.Integer(), server_default=None)
    op.create_table(
        "webhook_refusals",
        sa.Column("hour_at", TIME, nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("hour_at", "reason", name=op.f("pk_webhook_refusals")),
    )
    op.create_table(
        "doctor_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doctor_runs")),
    )
    op.create_table(
        "mirror_states",
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("checked_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_at", TIME, nullable=True),
        sa.Column("wanted_at", TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('in_sync', 'differs', 'missing', 'archived')", name=op.f("ck_mirror_states_state")
        ),
        sa.PrimaryKeyConstraint("public_id", name=op.f("pk_mirror_states")),
    )
    op.create_index(op.f("ix_mirror_states_checked_at"), "mirror_states", ["checked_at"])
    for name, column, condition in (
        ("ix_mirror_states_trouble", "public_id", sa.text("state <> 'in_sync' OR error IS NOT NULL")),
        ("ix_mirror_states_wanted", "wanted_at", sa.text("wanted_at IS NOT NULL")),
    ):
        op.create_index(name, "mirror_states", [column], sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "job_runs",
        sa.Column("task", sa.String(length=80), nullable=False),
        sa.Column("seen_at", TIME, nullable=True),
        sa.Column("worked_at", TIME, nullable=True),
        sa.Column("done_count", sa.Integer(), nullable=False),
        sa.Column("failure_count", sa.Integer(), nullable=False),
        sa.Column("failed_at", TIME, nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_job_runs")),
    )


def downgrade():
    op.drop_index("ix_prices_unsent", table_name="prices")
    for table in ("job_runs", "mirror_states", "doctor_runs", "webhook_refusals"):
        op.drop_table(table)
    with op.batch_alter_table("stripe_events") as batch_op:
        batch_op.drop_index("ix_stripe_events_of_type")
        batch_op.drop_index("ix_stripe_events_in_state")
        batch_op.drop_index("ix_stripe_events_received")
        batch_op.create_index(op.f("ix_stripe_events_type"), ["type"])
        batch_op.drop_column("replay_count")
