"""The truth after a run, read from outside: the shop's tables in plain SQL, Stripe's lists, the letters that arrived."""

from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.db import db
from tests.crash_points.scene import Scene

Row = dict[str, Any]

TABLES = {
    "orders": "SELECT id, public_id, number, state, total_amount, currency, user_id, email FROM orders",
    "items": "SELECT id, order_id, product_id, quantity FROM order_items",
    "attempts": "SELECT order_id, number, stripe_checkout_session_id FROM checkout_attempts",
    "entries": "SELECT order_id, kind, stripe_object_id, amount, currency FROM ledger_entries",
    "requests": "SELECT id, public_id, amount, stripe_refund_id, error FROM refund_requests",
    "redemptions": "SELECT order_id, promotion_code_id, status FROM promotion_redemptions",
    "notes": "SELECT order_id, kind FROM order_notes",
    "findings": "SELECT key, kind FROM findings WHERE resolved_at IS NULL",
    "late_orders": "SELECT order_id FROM findings WHERE kind = 'late_payment'",
    "seats": "SELECT id, public_id, order_item_id, status, claimed_by_id, invited_email, claim_version FROM seats",
    "links": "SELECT order_item_id, used_count FROM seat_links WHERE revoked_at IS NULL",
    "grants": "SELECT seat_id, user_id, course_id, revoked_at, suspended_at FROM grants",
    "enrollments": "SELECT user_id, course_id FROM enrollments",
    "messages": "SELECT id, key, template, to_address, message_id, sent_at, failed_at FROM messages",
    "events": "SELECT id, type, state FROM stripe_events",
    "products": "SELECT id, taken_seats FROM products",
    "codes": "SELECT id, redeemed_count FROM promotion_codes",
    "users": "SELECT id, email FROM users",
    "counters": "SELECT last_number FROM invoice_counters",
}
STRIPE_LISTS = {
    "sessions": "/v1/checkout/sessions",
    "charges": "/v1/charges",
    "refunds": "/v1/refunds",
    "disputes": "/v1/disputes",
}


@dataclass
class Books:
    """Rows by table, Stripe's objects by kind, and how often each Message-ID arrived."""

    shop: dict[str, list[Row]]
    stripe: dict[str, list[Row]]
    letters: Counter[str]
    unfinished_files: list[str] = field(default_factory=list)

    @property
    def live_sessions(self) -> list[Row]:
        """Sessions that can be paid or have been."""
        return [each for each in self.stripe["sessions"] if each["status"] in {"open", "complete"}]

    @property
    def kept_sessions(self) -> list[Row]:
        """Live sessions less those whose whole payment went back."""
        back = {each["payment_intent"] for each in self.stripe["charges"] if each["refunded"]}
        return [each for each in self.live_sessions if each["payment_intent"] not in back]

    @property
    def invited_seats(self) -> list[Row]:
        """Seats that wait for whoever was invited to them."""
        seats = self.shop["seats"]
        return [each for each in seats if each["invited_email"] is not None and each["claimed_by_id"] is None]

    def count(self) -> Counter[str]:
        """What there is, without ids: two runs that ended the same count the same."""
        shop, stripe = self.shop, self.stripe
        counted = Counter(
            [
                *(f"order {each['state']}" for each in shop["orders"]),
                *("order with a number" for each in shop["orders"] if each["number"] is not None),
                *(f"entry {each['kind']} {each['amount']} {each['currency']}" for each in shop["entries"]),
                *(f"redemption {each['status']}" for each in shop["redemptions"]),
                *(f"note {each['kind']}" for each in shop["notes"]),
                *(f"finding {each['kind']}" for each in shop["findings"]),
                *(
                    f"seat {each['status']} {'free' if each['claimed_by_id'] is None else 'claimed'}"
                    for each in shop["seats"]
                ),
                *(f"grant {_describe_grant(each)}" for each in shop["grants"]),
                *("enrollment" for _ in shop["enrollments"]),
                *("account" for _ in shop["users"]),
                *(f"mail {each['template']}" for each in shop["messages"]),
                *(f"session {each['status']} {each['payment_status']}" for each in self.live_sessions),
                *(f"charge {each['amount']} {each['currency']}" for each in stripe["charges"] if each["paid"]),
                *(f"refund {each['amount']} {each['currency']} {each['status']}" for each in stripe["refunds"]),
                *(f"dispute {each['amount']} {each['currency']} {each['status']}" for each in stripe["disputes"]),
            ]
        )
        counted["seat invited"] = len(self.invited_seats)
        counted["passed on"] = sum(each["claim_version"] - 1 for each in shop["seats"])
        counted["open link"] = len(shop["links"])
        counted["link use"] = sum(each["used_count"] for each in shop["links"])
        counted["seats taken"] = sum(each["taken_seats"] for each in shop["products"])
        counted["code uses"] = sum(each["redeemed_count"] for each in shop["codes"])
        return counted


def read_books(scene: Scene) -> Books:
    """Read everything; the world must be at rest."""
    with scene.app.app_context():
        shop = {
            name: [dict(row) for row in db.session.execute(text(query)).mappings()] for name, query in TABLES.items()
        }
        db.session.remove()
    stripe = {name: scene.stripe(f"{path}?limit=100")["data"] for name, path in STRIPE_LISTS.items()}
    assert all(len(found) < 100 for found in stripe.values()), "a second page would have to be read"
    return Books(
        shop=shop,
        stripe=stripe,
        letters=_read_letters(scene),
        unfinished_files=[path.name for folder in _list_folders(scene) for path in folder.glob("*.part")],
    )


def list_doubtful_letters(scene: Scene) -> set[str]:
    """Message-IDs that arrived though the shop does not know: all that may arrive once more (fault F93)."""
    scene.wait_for_mail_server()
    with scene.app.app_context():
        unsent = set(db.session.scalars(text("SELECT message_id FROM messages WHERE sent_at IS NULL")))
        db.session.remove()
    return unsent & set(_read_letters(scene))


def _describe_grant(grant: Row) -> str:
    if grant["revoked_at"] is not None:
        return "revoked"
    return "live" if grant["suspended_at"] is None else "suspended"


def _read_letters(scene: Scene) -> Counter[str]:
    paths = [path for folder in _list_folders(scene) for path in folder.glob("*.eml")]
    return Counter(str(message_from_bytes(path.read_bytes())["Message-ID"]) for path in paths)


def _list_folders(scene: Scene) -> tuple[Path, Path]:
    """Where the mail server, and the shop without one, lay the letters."""
    return scene.world.letters, scene.world.instance / "mail"
