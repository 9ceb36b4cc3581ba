"""Tax rates: the objects that taxed lines and invoices point at. Made when first needed, one for each place and way."""

from app.sandbox.countries import Rate
from app.sandbox.documents import Document
from app.sandbox.errors import no_such
from app.sandbox.listing import Filter, list_page
from app.sandbox.parameters import Flag, Range, listing
from app.sandbox.store import Transaction

LIST = listing({"active": Flag(), "created": Range(), "inclusive": Flag()})
_FILTERS = (Filter("active", "active"), Filter("inclusive", "inclusive"))
_WORDS = {"vat": "VAT", "gst": "GST", "igst": "IGST", "jct": "JCT", "sales_tax": "Sales tax"}


def find_tax_rate(transaction: Transaction, rate: Rate, country: str, *, inclusive: bool) -> Document:
    """The object of this rate, made if it is the first of its kind."""
    identifier = f"txr_sandbox{country}{rate.place}{rate.thousandths}{'inclusive' if inclusive else 'exclusive'}"
    found = transaction.find("tax_rate", identifier)
    if found is not None:
        return found
    return transaction.insert(
        {
            "id": identifier,
            "object": "tax_rate",
            "active": False,
            "country": country,
            "created": transaction.now(),
            "description": None,
            "display_name": _WORDS[rate.kind],
            "effective_percentage": rate.percent,
            "flat_amount": None,
            "inclusive": inclusive,
            "jurisdiction": rate.place,
            "jurisdiction_level": rate.level,
            "livemode": False,
            "metadata": {},
            "percentage": rate.percent,
            "rate_type": "percentage",
            "state": rate.place if rate.level == "state" else None,
            "tax_type": rate.kind,
        }
    )


def retrieve_tax_rate(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("tax_rate", identifier)
    if found is None:
        raise no_such("tax rate", identifier, param="tax_rate")
    return found


def list_tax_rates(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "tax_rate", "/v1/tax_rates", params, _FILTERS)
