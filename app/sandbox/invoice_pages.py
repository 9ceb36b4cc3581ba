"""An invoice as its buyer sees it: a page, and the same as a PDF, at addresses that only the invoice names."""

from datetime import UTC, datetime

from flask import Blueprint, Response, abort, make_response, render_template

from app.sandbox.config import SandboxConfig
from app.sandbox.documents import Document
from app.sandbox.guard import add_page_headers
from app.sandbox.money import format_amount
from app.sandbox.pdf import text_pdf
from app.sandbox.resources.invoices import find_by_token
from app.sandbox.store import Store


class InvoicePages:
    """`/i/<token>` and `/i/<token>/pdf`."""

    def __init__(self, config: SandboxConfig, store: Store) -> None:
        self._config = config
        self._store = store

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("invoice_pages", __name__)
        blueprint.add_url_rule("/i/<token>", "show", self._show, methods=["GET"])
        blueprint.add_url_rule("/i/<token>/pdf", "download", self._download, methods=["GET"])
        return blueprint

    def _find(self, token: str) -> tuple[Document, list[Document]]:
        with self._store.read() as transaction:
            invoice = find_by_token(transaction, token)
            if invoice is None:
                abort(404)
            return invoice, transaction.private(invoice["id"])["lines"]

    def _show(self, token: str) -> Response:
        invoice, lines = self._find(token)
        page = render_template(
            "invoice.html",
            shop_name=self._config.shop_name,
            invoice=invoice,
            day=_day(invoice),
            lines=[(_what(line), format_amount(line["amount"], line["currency"])) for line in lines],
            sums=sums_of(invoice),
            token=token,
        )
        return add_page_headers(make_response(page))

    def _download(self, token: str) -> Response:
        invoice, lines = self._find(token)
        text = [
            f"{self._config.shop_name}, offline sandbox: no money has moved",
            f"Date: {_day(invoice)}",
            f"Billed to: {invoice['customer_name'] or ''} {invoice['customer_email'] or ''}".rstrip(),
            *(f"Tax ID: {each['value']}" for each in invoice["customer_tax_ids"] or []),
            "",
            *(f"{_what(line)}: {format_amount(line['amount'], line['currency'])}" for line in lines),
            "",
            *(f"{words}: {amount}" for words, amount in sums_of(invoice)),
        ]
        pdf = make_response(text_pdf(f"Invoice {invoice['number']}", text))
        pdf.headers["Content-Type"] = "application/pdf"
        pdf.headers["Content-Disposition"] = f'attachment; filename="Invoice-{invoice["number"]}.pdf"'
        return pdf


def sums_of(invoice: Document) -> list[tuple[str, str]]:
    """The sums under the lines, in words and written amounts."""
    currency = invoice["currency"]
    discount = sum(each["amount"] for each in invoice["total_discount_amounts"])
    tax = invoice["total"] - invoice["total_excluding_tax"]
    is_inside = tax and invoice["total"] == invoice["subtotal"] - discount
    rows = [("Subtotal", invoice["subtotal"])]
    rows += [("Discount", -discount)] if discount else []
    rows += [("Tax included" if is_inside else "Tax", tax)] if invoice["automatic_tax"]["enabled"] else []
    rows += [("Total", invoice["total"]), ("Paid", invoice["amount_paid"])]
    return [(words, format_amount(amount, currency)) for words, amount in rows]


def _what(line: Document) -> str:
    return f"{line['quantity']} × {line['description']}" if line["quantity"] > 1 else str(line["description"])


def _day(invoice: Document) -> str:
    return datetime.fromtimestamp(invoice["created"], UTC).strftime("%B %d, %Y")
