"""Orders of several seats, gifts, and refunds that name their seat."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "gifts",
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("recipient_email", sa.String(length=320), nullable=False),
        sa.Column("recipient_name", sa.String(length=120), nullable=False),
        sa.Column("giver_name", sa.String(length=120), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_gifts_order_id_orders")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_gifts")),
    )
    with op.batch_alter_table("order_items") as batch_op:
        batch_op.add_column(sa.Column("held_quantity", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE order_items SET held_quantity = quantity WHERE order_id IN (SELECT id FROM orders WHERE holds_capacity)"
    )
    with op.batch_alter_table("order_items") as batch_op:
        batch_op.alter_column("held_quantity", server_default=None)
        batch_op.create_check_constraint(
            op.f("ck_order_items_held_quantity"), "held_quantity >= 0 AND held_quantity <= quantity"
        )
    # One open order for each buyer and product from now on: of an order's price only the product stays in its key.
    op.execute(
        "UPDATE orders SET choice_key = (SELECT products.public_id FROM order_items"
        " JOIN products ON products.id = order_items.product_id WHERE order_items.order_id = orders.id)"
        " WHERE state <> 'pending' OR id = (SELECT max(later.id) FROM orders later"
        " JOIN order_items theirs ON theirs.order_id = later.id JOIN order_items ours ON ours.order_id = orders.id"
        " WHERE later.buyer_key = orders.buyer_key AND later.state = 'pending' AND theirs.product_id = ours.product_id)"
    )
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("choice_digest", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("purpose", sa.String(length=10), nullable=False, server_default="self"))
        batch_op.add_column(sa.Column("takes_seat", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("is_tax_included", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("stripe_invoice_id", sa.String(length=255), nullable=True))
        batch_op.drop_column("holds_capacity")
    with op.batch_alter_table("orders") as batch_op:
        for name in ("choice_digest", "purpose", "takes_seat", "is_tax_included"):
            batch_op.alter_column(name, server_default=None)
        batch_op.create_check_constraint(op.f("ck_orders_purpose"), "purpose IN ('self', 'team', 'gift')")
    with op.batch_alter_table("ledger_entries") as batch_op:
        batch_op.add_column(sa.Column("refund_request_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_ledger_entries_refund_request_id_refund_requests"),
            "refund_requests",
            ["refund_request_id"],
            ["id"],
        )
    with op.batch_alter_table("seats") as batch_op:
        batch_op.add_column(sa.Column("invited_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("promotion_codes") as batch_op:
        batch_op.drop_constraint(op.f("uq_promotion_codes_stripe_coupon_id"), type_="unique")
        batch_op.drop_column("stripe_coupon_id")
    op.execute("UPDATE seats SET invited_at = created_at WHERE invited_email IS NOT NULL")


def downgrade():
    with op.batch_alter_table("promotion_codes") as batch_op:
        batch_op.add_column(sa.Column("stripe_coupon_id", sa.String(length=255), nullable=True))
        batch_op.create_unique_constraint(op.f("uq_promotion_codes_stripe_coupon_id"), ["stripe_coupon_id"])
    with op.batch_alter_table("seats") as batch_op:
        batch_op.drop_column("invited_at")
    with op.batch_alter_table("ledger_entries") as batch_op:
        batch_op.drop_constraint(op.f("fk_ledger_entries_refund_request_id_refund_requests"), type_="foreignkey")
        batch_op.drop_column("refund_request_id")
    with op.batch_alter_table("orders") as batch_op:
        batch_op.add_column(sa.Column("holds_capacity", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE orders SET holds_capacity = (SELECT min(held_quantity) > 0 FROM order_items"
        " WHERE order_items.order_id = orders.id)"
    )
    with op.batch_alter_table("orders") as batch_op:
        batch_op.alter_column("holds_capacity", server_default=None)
        batch_op.drop_constraint(op.f("ck_orders_purpose"), type_="check")
        for name in ("stripe_invoice_id", "is_tax_included", "takes_seat", "purpose", "choice_digest"):
            batch_op.drop_column(name)
    with op.batch_alter_table("order_items") as batch_op:
        batch_op.drop_constraint(op.f("ck_order_items_held_quantity"), type_="check")
        batch_op.drop_column("held_quantity")
    op.drop_table("gifts")
