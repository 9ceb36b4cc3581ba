"""Settings changed in the browser, and buyers' withdrawals from their contracts."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "shop_settings",
        sa.Column("section", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed", sa.JSON(), nullable=False),
        sa.Column("previous", sa.JSON(), nullable=True),
        sa.Column("changed_by", sa.String(length=255), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 0", name=op.f("ck_shop_settings_version")),
        sa.PrimaryKeyConstraint("section", name=op.f("pk_shop_settings")),
    )
    op.create_table(
        "withdrawal_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("is_proved", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refund_state", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('in_time', 'late', 'waived')", name=op.f("ck_withdrawal_requests_verdict")),
        sa.CheckConstraint(
            "refund_state IN ('none', 'by_hand', 'due', 'asked', 'not_possible')",
            name=op.f("ck_withdrawal_requests_refund_state"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_withdrawal_requests_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal_requests")),
        sa.UniqueConstraint("order_id", name=op.f("uq_withdrawal_requests_order_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_withdrawal_requests_public_id")),
    )
    op.create_index(op.f("ix_withdrawal_requests_created_at"), "withdrawal_requests", ["created_at"])
    op.create_index("ix_withdrawal_requests_refund_state", "withdrawal_requests", ["refund_state", "id"])
    op.add_column("orders", sa.Column("withdrawal_days", sa.Integer(), nullable=True))


def downgrade():
    op.drop_column("orders", "withdrawal_days")
    op.drop_table("withdrawal_requests")
    op.drop_table("shop_settings")
