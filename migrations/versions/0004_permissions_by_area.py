"""Roles with permissions by area: an editor sees content only, support sees orders and may refund."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

READ = ["content:read", "prices:read", "orders:read", "people:read", "stripe:read", "reports:read"]
ADMIN = [
    "content:read", "content:write", "prices:read", "prices:write", "orders:read", "orders:write", "orders:refund",
    "people:read", "people:write", "stripe:read", "stripe:write", "reports:read", "audit:read",
]  # fmt: skip
AFTER = {
    "reader": READ,
    "editor": ["content:read", "content:write", "prices:read"],
    "support": [
        "content:read", "prices:read", "orders:read", "orders:write", "orders:refund", "people:read", "people:write",
        "stripe:read",
    ],
    "admin": ADMIN,
    "owner": [*ADMIN, "staff:write", "shop:write"],
}  # fmt: skip
BEFORE = {
    "reader": ["admin:read"],
    "editor": ["admin:read", "content:write"],
    "support": ["admin:read", "orders:write"],
    "admin": ["admin:read", "content:write", "orders:write", "people:write"],
    "owner": ["admin:read", "content:write", "orders:write", "people:write", "shop:write"],
}


def upgrade():
    _write(AFTER)


def downgrade():
    _write(BEFORE)


def _write(roles):
    table = sa.table("roles", sa.column("name", sa.String), sa.column("permissions", sa.JSON))
    for name, permissions in roles.items():
        op.execute(table.update().where(table.c.name == name).values(permissions=permissions))
