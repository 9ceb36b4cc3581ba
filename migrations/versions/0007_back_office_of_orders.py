"""Stripe's fees, purchases that move to another address, and what finds one order of many."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "stripe_fees",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("stripe_balance_transaction_id", sa.String(length=255), nullable=False),
        sa.Column("stripe_object_id", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_stripe_fees_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_fees")),
        sa.UniqueConstraint("stripe_balance_transaction_id", name=op.f("uq_stripe_fees_stripe_balance_transaction_id")),
    )
    op.create_index(op.f("ix_stripe_fees_order_id"), "stripe_fees", ["order_id"])
    op.create_table(
        "order_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("to_email", sa.String(length=320), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("requested_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.CheckConstraint("status IN ('waiting', 'moved', 'withdrawn', 'undone')", name=op.f("ck_order_moves_status")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_moves_order_id_orders")),
        sa.ForeignKeyConstraint(["requested_by_id"], ["users.id"], name=op.f("fk_order_moves_requested_by_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_moves")),
        sa.UniqueConstraint("public_id", name=op.f("uq_order_moves_public_id")),
    )
    op.create_index(op.f("ix_order_moves_order_id"), "order_moves", ["order_id"])
    op.create_index(
        "uq_order_moves_waiting",
        "order_moves",
        ["order_id"],
        unique=True,
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )
    # The default stays: without it the table would have to be made anew.
    op.add_column("orders", sa.Column("link_version", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_orders_currency_created", "orders", ["currency", "created_at"])
    op.create_index("ix_orders_email_prefix", "orders", ["email"], postgresql_ops={"email": "varchar_pattern_ops"})
    op.create_index(op.f("ix_orders_total_amount"), "orders", ["total_amount"])
    op.create_index(op.f("ix_orders_stripe_invoice_id"), "orders", ["stripe_invoice_id"])
    op.create_index(op.f("ix_ledger_entries_stripe_object_id"), "ledger_entries", ["stripe_object_id"])
    by_hand = sa.text("seat_id IS NULL AND membership_id IS NULL")
    op.create_index("ix_grants_by_hand", "grants", ["id"], sqlite_where=by_hand, postgresql_where=by_hand)
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_orders_name_words",
            "orders",
            [sa.text("to_tsvector('simple', customer_name)")],
            postgresql_using="gin",
        )


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_orders_name_words", table_name="orders")
    op.drop_index("ix_grants_by_hand", table_name="grants")
    op.drop_index(op.f("ix_ledger_entries_stripe_object_id"), table_name="ledger_entries")
    op.drop_index(op.f("ix_orders_stripe_invoice_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_total_amount"), table_name="orders")
    op.drop_index("ix_orders_email_prefix", table_name="orders")
    op.drop_index("ix_orders_currency_created", table_name="orders")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.drop_column("link_version")
    op.drop_table("order_moves")
    op.drop_table("stripe_fees")
