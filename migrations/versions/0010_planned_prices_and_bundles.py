"""Prices that are planned ahead, sales that end by themselves, struck prices, and bundles with a page of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ACTIVE = sa.text("status = 'active' AND type = 'one_time'")
PLANNED = sa.text("status = 'scheduled'")
LIVE_SALE = sa.text("kind = 'sale' AND status IN ('scheduled', 'active')")


def upgrade():
    # The defaults stay: without them the table would have to be made anew.
    op.add_column("products", sa.Column("slug", sa.String(length=120), nullable=True))
    op.add_column("products", sa.Column("summary", sa.Text(), nullable=False, server_default=""))
    op.add_column("products", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("uq_products_slug", "products", ["slug"], unique=True)
    op.create_index("ix_products_kind_title", "products", ["kind", "title", "id"])
    op.drop_index("uq_prices_active", table_name="prices")
    # Nothing planned ahead so: what says it is could not be bought.
    op.execute("UPDATE prices SET status = 'retired' WHERE status = 'scheduled' AND scheduled_at IS NULL")
    with op.batch_alter_table("prices") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=10), nullable=False, server_default="regular"))
        batch_op.add_column(sa.Column("compare_at_amount", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("prices") as batch_op:
        batch_op.create_check_constraint(op.f("ck_prices_kind"), "kind IN ('regular', 'sale')")
        batch_op.create_check_constraint(op.f("ck_prices_ends_at"), "(kind = 'sale') = (ends_at IS NOT NULL)")
        batch_op.create_check_constraint(
            op.f("ck_prices_scheduled_at"), "status <> 'scheduled' OR scheduled_at IS NOT NULL"
        )
        batch_op.create_check_constraint(
            op.f("ck_prices_compare_at_amount"), "compare_at_amount IS NULL OR compare_at_amount > unit_amount"
        )
    columns = ["product_id", "currency", "kind"]
    make_partial("uq_prices_active", columns, ACTIVE, unique=True)
    make_partial("uq_prices_scheduled", [*columns, "scheduled_at"], PLANNED, unique=True)
    make_partial("ix_prices_due", ["scheduled_at"], PLANNED, unique=False)
    op.create_index("ix_prices_ends_at", "prices", ["ends_at"])
    make_partial("ix_prices_sales", ["product_id", "currency"], LIVE_SALE, unique=False)


def downgrade():
    op.drop_index("ix_prices_sales", table_name="prices")
    op.drop_index("ix_prices_ends_at", table_name="prices")
    op.drop_index("ix_prices_due", table_name="prices")
    op.drop_index("uq_prices_scheduled", table_name="prices")
    op.drop_index("uq_prices_active", table_name="prices")
    # Without its end a sale would be for ever, and without the worker nothing planned begins.
    op.execute(
        "UPDATE prices SET status = 'retired', retired_at = coalesce(retired_at, ends_at, scheduled_at)"
        " WHERE kind = 'sale' OR status = 'scheduled'"
    )
    with op.batch_alter_table("prices") as batch_op:
        for name in ("compare_at_amount", "scheduled_at", "ends_at", "kind"):
            batch_op.drop_constraint(op.f(f"ck_prices_{name}"), type_="check")
    with op.batch_alter_table("prices") as batch_op:
        for name in ("ends_at", "compare_at_amount", "kind"):
            batch_op.drop_column(name)
    make_partial("uq_prices_active", ["product_id", "currency"], ACTIVE, unique=True)
    op.drop_index("ix_products_kind_title", table_name="products")
    op.drop_index("uq_products_slug", table_name="products")
    with op.batch_alter_table("products") as batch_op:
        for name in ("version", "summary", "slug"):
            batch_op.drop_column(name)


def make_partial(name, columns, condition, *, unique):
    op.create_index(name, "prices", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
