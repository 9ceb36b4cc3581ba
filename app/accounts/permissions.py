"""What staff may do, by name. Code asks for a permission, never for a role; a role is a row with a set of them.

"read" shows, "write" changes. Whoever may write a thing may read it: each role below that writes also reads.
"""

from collections.abc import Collection
from typing import Protocol

CONTENT_READ, CONTENT_WRITE = "content:read", "content:write"  # courses, lessons, posts, topics, pictures
PRICES_READ, PRICES_WRITE = "prices:read", "prices:write"  # prices, bundles, promotion codes
ORDERS_READ, ORDERS_WRITE = "orders:read", "orders:write"  # orders, notes, mails about them, free seats
ORDERS_REFUND = "orders:refund"
PEOPLE_READ, PEOPLE_WRITE = "people:read", "people:write"  # learners, newsletter subscribers
STRIPE_READ, STRIPE_WRITE = "stripe:read", "stripe:write"  # events, health, sync, jobs
REPORTS_READ = "reports:read"
AUDIT_READ = "audit:read"
STAFF_WRITE = "staff:write"  # who is staff, and their API keys
SHOP_WRITE = "shop:write"  # the shop's settings

ALL = (
    CONTENT_READ, CONTENT_WRITE, PRICES_READ, PRICES_WRITE, ORDERS_READ, ORDERS_WRITE, ORDERS_REFUND, PEOPLE_READ,
    PEOPLE_WRITE, STRIPE_READ, STRIPE_WRITE, REPORTS_READ, AUDIT_READ, STAFF_WRITE, SHOP_WRITE,
)  # fmt: skip
# Roles as the migrations write them; the database's rows decide.
ROLES: dict[str, tuple[str, ...]] = {
    "learner": (),
    "reader": (CONTENT_READ, PRICES_READ, ORDERS_READ, PEOPLE_READ, STRIPE_READ, REPORTS_READ),
    "editor": (CONTENT_READ, CONTENT_WRITE, PRICES_READ),
    "support": (
        CONTENT_READ, PRICES_READ, ORDERS_READ, ORDERS_WRITE, ORDERS_REFUND, PEOPLE_READ, PEOPLE_WRITE, STRIPE_READ,
    ),
    "admin": tuple(each for each in ALL if each not in {STAFF_WRITE, SHOP_WRITE}),
    "owner": ALL,
}  # fmt: skip


class HasPermissions(Protocol):
    """A role, as far as this module cares."""

    permissions: list[str]


def list_permissions(roles: Collection[HasPermissions]) -> frozenset[str]:
    """Everything that these roles allow together."""
    return frozenset(permission for role in roles for permission in role.permissions)
