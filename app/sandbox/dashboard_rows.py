"""What the dashboard's tables show of payments, sessions and events: words and amounts, ready for the templates."""

from datetime import UTC, datetime

from app.sandbox.documents import Document
from app.sandbox.money import exponent, format_amount
from app.sandbox.resources.balance import as_of_now
from app.sandbox.store import Transaction

_PAYMENT_BADGES = {
    "succeeded": ("ok", "Paid"),
    "processing": ("warn", "Processing"),
    "requires_action": ("warn", "3-D Secure"),
    "requires_payment_method": ("bad", "Not paid"),
    "canceled": ("neutral", "Canceled"),
}
_SESSION_BADGES = {"open": ("info", "Open"), "complete": ("ok", "Complete"), "expired": ("neutral", "Expired")}
_DELIVERY_BADGES = {
    "delivered": ("ok", "Delivered"),
    "pending": ("warn", "Waiting"),
    "sending": ("warn", "Sending"),
    "failed": ("bad", "Given up"),
    "dropped": ("neutral", "Dropped"),
}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%b %d, %Y, %H:%M:%S")


def payment_row(transaction: Transaction, intent: Document) -> Document:
    charge = transaction.find("charge", intent["latest_charge"] or "")
    session = transaction.find("checkout.session", transaction.private(intent["id"]).get("session", ""))
    disputes = transaction.where("dispute", "charge", charge["id"]) if charge else []
    badge = _PAYMENT_BADGES.get(intent["status"], ("neutral", intent["status"]))
    left = charge["amount"] - charge["amount_refunded"] if charge and charge["paid"] else 0
    if charge and charge["refunded"]:
        badge = ("neutral", "Refunded")
    elif charge and charge["amount_refunded"]:
        badge = ("info", "Part-refunded")
    currency = intent["currency"]
    return {
        "id": intent["id"],
        "amount": format_amount(intent["amount"], currency),
        "refunded": format_amount(charge["amount_refunded"], currency)
        if charge and charge["amount_refunded"]
        else None,
        "left": decimal_amount(left, currency) if left else None,
        "currency": currency,
        "tax": _tax(session),
        "badge": badge,
        "who": (charge or {}).get("billing_details", {}).get("email"),
        "how": _method(charge),
        "why": (intent["last_payment_error"] or {}).get("message"),
        "at": _time(intent["created"]),
        "session": session["id"] if session else None,
        "processing": intent["status"] == "processing",
        "disputes": [_dispute_row(dispute) for dispute in disputes],
        "disputable": bool(left) and not any(_is_open(dispute) for dispute in disputes),
        "refundable": bool(left) and all(dispute["is_charge_refundable"] for dispute in disputes),
    }


def _tax(session: Document | None) -> str | None:
    """What of the payment is tax, if any was computed."""
    if session is None or not session["total_details"]["amount_tax"]:
        return None
    return format_amount(session["total_details"]["amount_tax"], session["currency"])


def _is_open(dispute: Document) -> bool:
    return dispute["status"] not in ("won", "lost", "warning_closed", "prevented")


def _dispute_row(dispute: Document) -> Document:
    is_inquiry = dispute["status"].startswith("warning_")
    status = dispute["status"].removeprefix("warning_").replace("_", " ")
    outcomes = [("warning_closed", "Close inquiry"), ("escalated", "Escalate"), ("prevented", "Prevent")]
    return {
        "id": dispute["id"],
        "words": f"{'Inquiry' if is_inquiry else 'Dispute'}: {status}",
        "tone": "bad" if dispute["status"] in ("needs_response", "under_review", "lost") else "neutral",
        "outcomes": (outcomes if is_inquiry else [("won", "Shop wins"), ("lost", "Shop loses")])
        if _is_open(dispute)
        else [],
    }


def _method(charge: Document | None) -> str:
    if charge is None:
        return ""
    details = charge["payment_method_details"]
    if details["type"] == "card":
        return f"{details['card']['brand'].capitalize()} •••• {details['card']['last4']}"
    return "Bank debit, " + str(details["type"]).replace("_", " ")


def decimal_amount(amount: int, currency: str) -> str:
    places = exponent(currency)
    return f"{amount / 10**places:.{places}f}"


def movement_row(transaction: Transaction, movement: Document) -> Document:
    currency = movement["currency"]
    is_available = as_of_now(transaction, movement)["status"] == "available"
    return {
        "id": movement["id"],
        "kind": movement["reporting_category"].replace("_", " "),
        "source": movement["source"],
        "amount": format_amount(movement["amount"], currency),
        "fee": format_amount(movement["fee"], currency),
        "net": format_amount(movement["net"], currency),
        "at": _time(movement["created"]),
        "badge": ("ok", "Available") if is_available else ("neutral", "Pending"),
    }


def balance_sums(balance: Document) -> list[Document]:
    """For each currency what is there and what is on its way."""
    return [
        {
            "currency": ready["currency"].upper(),
            "available": format_amount(ready["amount"], ready["currency"]),
            "pending": format_amount(coming["amount"], coming["currency"]),
        }
        for ready, coming in zip(balance["available"], balance["pending"], strict=True)
    ]


def invoice_row(transaction: Transaction, invoice: Document) -> Document:
    currency = invoice["currency"]
    tax = invoice["total"] - invoice["total_excluding_tax"]
    return {
        "id": invoice["id"],
        "number": invoice["number"],
        "who": invoice["customer_email"],
        "total": format_amount(invoice["total"], currency),
        "tax": format_amount(tax, currency) if tax else None,
        "at": _time(invoice["created"]),
        "token": transaction.private(invoice["id"])["token"],
    }


def clock_words(clock: Document) -> Document:
    """The sandbox's time, and how far it was moved, for the foot of every page."""
    days, rest = divmod(int(clock["ahead_seconds"]), 86_400)
    hours, seconds = divmod(rest, 3_600)
    parts = ((days, "d"), (hours, "h"), (seconds // 60, "min"))
    return {"now": _time(clock["now"]), "ahead": " ".join(f"{number} {unit}" for number, unit in parts if number)}


def session_row(transaction: Transaction, session: Document) -> Document:
    items = transaction.private(session["id"]).get("line_items", [])
    return {
        "id": session["id"],
        "amount": format_amount(session["amount_total"], session["currency"]),
        "badge": _SESSION_BADGES[session["status"]],
        "paid": session["payment_status"].replace("_", " "),
        "what": ", ".join(item["description"] for item in items[:2]) + (" …" if items[2:] else ""),
        "who": (session["customer_details"] or {}).get("email"),
        "at": _time(session["created"]),
        "until": _time(session["expires_at"]),
        "is_open": session["status"] == "open",
    }


def event_row(transaction: Transaction, event: Document) -> Document:
    found = transaction.rows("SELECT * FROM deliveries WHERE event_id = ? ORDER BY id", event["id"])
    return {
        "id": event["id"],
        "type": event["type"],
        "object": event["data"]["object"]["id"],
        "at": _time(event["created"]),
        "deliveries": [
            {
                "badge": _DELIVERY_BADGES[row["state"]],
                "tries": row["attempts"],
                "error": row["last_error"],
                "next": _time(row["next_at"]) if row["state"] == "pending" and row["attempts"] else None,
            }
            for row in found
        ],
    }
