"""Reads of posts by day, the whole path of posts to an order, buyers' countries, and indexes for reports."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_ledger_entries_occurred_at", "ledger_entries", "occurred_at"),
    ("ix_orders_paid_at", "orders", "paid_at"),
    ("ix_subscribers_confirmed_at", "subscribers", "confirmed_at"),
)


def upgrade():
    op.create_table(
        "post_reads",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_reads_post_id_posts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "day", name=op.f("pk_post_reads")),
    )
    op.create_index(op.f("ix_post_reads_day"), "post_reads", ["day"])
    with op.batch_alter_table("touch_points") as batch_op:
        # Until now an order had one touch at most: it was its last.
        batch_op.add_column(sa.Column("is_last", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("country", sa.String(length=2), nullable=True))
    for name, table, column in INDEXES:
        op.create_index(op.f(name), table, [column])
    op.create_index(
        "ix_messages_failed",
        "messages",
        ["failed_at"],
        sqlite_where=sa.text("failed_at IS NOT NULL"),
        postgresql_where=sa.text("failed_at IS NOT NULL"),
    )


def downgrade():
    op.drop_index("ix_messages_failed", table_name="messages")
    for name, table, _ in reversed(INDEXES):
        op.drop_index(op.f(name), table_name=table)
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_column("country")
    with op.batch_alter_table("touch_points") as batch_op:
        batch_op.drop_column("is_last")
    op.drop_index(op.f("ix_post_reads_day"), table_name="post_reads")
    op.drop_table("post_reads")
