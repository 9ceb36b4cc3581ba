"""The shop's side, read once at the end: its tables by plain SQL, its mails from their folder."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

from tests.simulation.databases import Database

Row = dict[str, Any]
TABLES = (
    "orders",
    "order_items",
    "checkout_attempts",
    "ledger_entries",
    "refund_requests",
    "findings",
    "stripe_events",
    "seats",
    "grants",
    "enrollments",
    "products",
    "users",
    "promotion_codes",
    "promotion_redemptions",
    "gifts",
    "seat_links",
    "order_consents",
    "reconcile_scans",
    "messages",
    "invoice_counters",
)
HEADERS = BytesHeaderParser(policy=policy.default)


@dataclass(frozen=True)
class Mail:
    """Who got a mail about what."""

    to: str
    subject: str


class Evidence:
    """Every row and every mail that the judge looks at."""

    def __init__(self, database: Database, mail_folder: Path) -> None:
        rows = database.tables(TABLES)
        self.orders = rows["orders"]
        self.items = rows["order_items"]
        self.attempts = rows["checkout_attempts"]
        self.entries = rows["ledger_entries"]
        self.refund_requests = rows["refund_requests"]
        self.findings = rows["findings"]
        self.events = rows["stripe_events"]
        self.seats = rows["seats"]
        self.grants = rows["grants"]
        self.enrollments = rows["enrollments"]
        self.products = rows["products"]
        self.users = rows["users"]
        self.codes = rows["promotion_codes"]
        self.redemptions = rows["promotion_redemptions"]
        self.gifts = rows["gifts"]
        self.links = rows["seat_links"]
        self.consents = rows["order_consents"]
        self.scans = rows["reconcile_scans"]
        self.messages = rows["messages"]
        self.last_number = int(rows["invoice_counters"][0]["last_number"])
        self.mails = [_read(path) for path in mail_folder.glob("*.eml")] if mail_folder.is_dir() else []

    def items_of(self, order: Row) -> list[Row]:
        return [item for item in self.items if item["order_id"] == order["id"]]

    def seats_of(self, order: Row) -> list[Row]:
        ids = {item["id"] for item in self.items_of(order)}
        return [seat for seat in self.seats if seat["order_item_id"] in ids]

    def grants_of(self, order: Row) -> list[Row]:
        ids = {seat["id"] for seat in self.seats_of(order)}
        return [grant for grant in self.grants if grant["seat_id"] in ids]

    def entries_of(self, order: Row) -> list[Row]:
        return [entry for entry in self.entries if entry["order_id"] == order["id"]]

    def finding_kinds(self, order: Row, *, is_open: bool = True) -> Counter[str]:
        """The findings about an order: those that wait for a person, or all there ever were."""
        return Counter(
            finding["kind"]
            for finding in self.findings
            if finding["order_id"] == order["id"] and (finding["resolved_at"] is None or not is_open)
        )

    def requests_of(self, order: Row) -> list[Row]:
        return [request for request in self.refund_requests if request["order_id"] == order["id"]]

    def email_of(self, user_id: int | None) -> str | None:
        return next((user["email"] for user in self.users if user["id"] == user_id), None)

    def count_mails(self, *, subject: str, to: str | None = None, number: int | None = None) -> int:
        """Mails whose subject has the words, to an address, about an order's number."""
        return sum(
            subject in mail.subject
            and (to is None or mail.to == to)
            and (number is None or mail.subject.endswith(f"-{number}"))
            for mail in self.mails
        )


def read_moment(value: Any) -> datetime:
    """A moment as either database gives it, in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read(path: Path) -> Mail:
    mail = HEADERS.parsebytes(path.read_bytes())
    return Mail(to=str(mail["To"]), subject=str(mail["Subject"]))
