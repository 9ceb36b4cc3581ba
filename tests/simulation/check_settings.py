"""What shops turn on: tax and invoices that Stripe makes, and consents. To the minor unit, and word by word."""

import json
from datetime import timedelta
from typing import Any

from tests.simulation.case import Case
from tests.simulation.evidence import Row, read_moment
from tests.simulation.model import Expected

# A consent is written down with its order.
ONE_MOMENT = timedelta(minutes=1)
SHORTEST_TEXT = 20


def check_tax(case: Case) -> list[str]:
    """The order and its receipt say the tax that Stripe took, and the sum that it charged."""
    found = []
    for order in case.shop.orders:
        wanted, account = case.expected[order["public_id"]], case.books.accounts.get(order["public_id"])
        said, due = (order["tax_amount"], bool(order["is_tax_included"])), (wanted.tax, wanted.is_tax_included)
        if said != due:
            found.append(f"{order['public_id']}: tax {said}, should be {due}")
        for session in account.paid_sessions[:1] if account else ():
            if session["amount_total"] != wanted.charged:
                found.append(f"{order['public_id']}: Stripe took {session['amount_total']}, due were {wanted.charged}")
            if session["automatic_tax"]["enabled"] != bool(case.world.settings.get("is_tax_enabled")):
                found.append(f"{order['public_id']}: tax is {session['automatic_tax']}")
        found += _check_receipt(case, order, wanted)
    return found


def _check_receipt(case: Case, order: Row, wanted: Expected) -> list[str]:
    receipts = [each for each in case.shop.messages if each["key"] == f"receipt:{order['public_id']}"]
    told = [(data["total_amount"], data["tax_amount"]) for data in (_read_json(each["data"]) for each in receipts)]
    if any(each != (wanted.charged, wanted.tax) for each in told):
        return [f"{order['public_id']}: the receipt tells {told}, due were {(wanted.charged, wanted.tax)}"]
    return []


def check_invoices(case: Case) -> list[str]:
    """Where the shop lets Stripe make invoices, the order has the one of its payment, and it says the same sums."""
    found = []
    for order in case.shop.orders:
        wanted, invoice_id = case.expected[order["public_id"]], order["stripe_invoice_id"]
        if (invoice_id in wanted.invoices) != bool(wanted.invoices) or (invoice_id and not wanted.invoices):
            found.append(f"{order['public_id']}: invoice {invoice_id}, Stripe made {sorted(wanted.invoices)}")
            continue
        if invoice_id is None:
            continue
        invoice = case.books.invoices[invoice_id]
        said = (order["currency"], wanted.charged, wanted.tax)
        made = (invoice["currency"], invoice["amount_paid"], sum(each["amount"] for each in invoice["total_taxes"]))
        if said != made:
            found.append(f"{order['public_id']}: invoice {made}, should be {said}")
    paid = [account for account in case.books.accounts.values() if account.charges]
    if case.world.settings.get("makes_invoices") and len(case.books.invoices) < len(paid):
        found.append(f"{len(case.books.invoices)} invoices of {len(paid)} paid orders")
    return found


def check_consents(case: Case) -> list[str]:
    """Each order has every consent that the shop asks for, with version, words and the time of the order; no other."""
    found = []
    asked = sorted(case.world.settings.get("consents", ()))
    for order in case.shop.orders:
        given = [each for each in case.shop.consents if each["order_id"] == order["id"]]
        if sorted(each["kind"] for each in given) != asked:
            found.append(f"{order['public_id']}: consents {[each['kind'] for each in given]}, asked were {asked}")
        for each in given:
            late = abs(read_moment(each["given_at"]) - read_moment(order["created_at"]))
            if late > ONE_MOMENT or not each["text_version"] or len(each["text"]) < SHORTEST_TEXT:
                found.append(f"{order['public_id']}: consent {each['kind']} {each['text_version']!r}, {late} apart")
    versions = {(each["kind"], each["text_version"], each["text"]) for each in case.shop.consents}
    if len(versions) != len({each["kind"] for each in case.shop.consents}):
        found.append(f"one consent in several words: {sorted(versions)}")
    return found


def _read_json(value: Any) -> Any:
    """A JSON column as either database gives it."""
    return json.loads(value) if isinstance(value, str) else value
