"""What tax a session's lines carry at a buyer's address, and which kind of tax id a buyer typed.

Each line is rounded by itself, half up, as Stripe's default has it; sums are sums of lines.
"""

import re
from dataclasses import dataclass

from app.sandbox.countries import EU, Rate, find_rate
from app.sandbox.documents import Document
from app.sandbox.resources.tax_rates import find_tax_rate
from app.sandbox.resources.tax_settings import is_inclusive, retrieve_tax_settings
from app.sandbox.store import Transaction

_WHOLE = 100_000
_EU_VAT = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,12}")
_BY_COUNTRY = {
    "AU": "au_abn", "BR": "br_cnpj", "CA": "ca_bn", "CH": "ch_vat", "GB": "gb_vat", "IN": "in_gst", "JP": "jp_trn",
    "MX": "mx_rfc", "NO": "no_vat", "NZ": "nz_gst", "SG": "sg_gst", "US": "us_ein", "ZA": "za_vat",
}  # fmt: skip


@dataclass(frozen=True)
class TaxQuote:
    """The lines with their tax, and the sums that follow. Amounts in minor units."""

    items: list[Document]
    tax: int
    total: int
    breakdown: list[Document]


def quote_tax(transaction: Transaction, items: list[Document], address: Document, tax_ids: list[Document]) -> TaxQuote:
    """Taxes the lines anew, whatever tax they carried before. The address needs its country."""
    settings = retrieve_tax_settings(transaction, {})
    country = str(address["country"])
    rate = find_rate(country, str(address.get("postal_code") or ""))
    is_reversed = _is_reverse_charge(settings, country, tax_ids)
    taxed = [_tax_item(transaction, item, settings, rate, country, is_reversed=is_reversed) for item in items]
    return TaxQuote(
        taxed,
        sum(item["amount_tax"] for item in taxed),
        sum(item["amount_total"] for item in taxed),
        _sum_by_rate(taxed),
    )


def tax_amount(amount: int, rate: Rate, *, inclusive: bool) -> int:
    """The tax on top of an amount, or inside it. Half a minor unit and more becomes a whole one."""
    base = _WHOLE + rate.thousandths if inclusive else _WHOLE
    return (2 * amount * rate.thousandths + base) // (2 * base)


def kind_of_tax_id(value: str, country: str) -> str:
    """`eu_vat`, `gb_vat`, `us_ein` …: by the letters it begins with, else by the buyer's country."""
    prefix = "GR" if value[:2] == "EL" else value[:2]
    if prefix in EU:
        return "eu_vat"
    return _BY_COUNTRY.get(prefix) or _BY_COUNTRY.get(country) or "us_ein"


def clean_tax_id(typed: str) -> str:
    """Without the blanks, dots and hyphens that people write for reading; an employer's number keeps its hyphen."""
    bare = re.sub(r"[\s.]", "", typed).upper()
    return bare if re.fullmatch(r"\d\d-\d{7}", bare) else bare.replace("-", "")


def is_tax_id(value: str, country: str) -> bool:
    """Whether it could be one there; nobody is asked whether it exists."""
    if kind_of_tax_id(value, country) == "eu_vat":
        return bool(_EU_VAT.fullmatch(value))
    return bool(re.fullmatch(r"[0-9A-Z-]{5,20}", value))


def _is_reverse_charge(settings: Document, country: str, tax_ids: list[Document]) -> bool:
    """A business of another country in the EU pays the tax to its own state."""
    seller = settings["head_office"]["address"]["country"] if settings["head_office"] else None
    own = {"GR": "EL"}.get(country, country)
    proves = any(each["type"] == "eu_vat" and each["value"].startswith(own) for each in tax_ids)
    return proves and country in EU and country != seller


def _tax_item(
    transaction: Transaction, item: Document, settings: Document, rate: Rate | None, country: str, *, is_reversed: bool
) -> Document:
    amount = item["amount_subtotal"] - item["amount_discount"]
    inclusive = is_inclusive(item["price"], settings)
    untaxed = {**item, "amount_tax": 0, "amount_total": amount, "_taxes": []}
    if rate is None:
        return untaxed
    if is_reversed:
        taken, reason = 0, "reverse_charge"  # what the buyer pays for an inclusive price never changes (Stripe's docs)
    else:
        taken, reason = tax_amount(amount, rate, inclusive=inclusive), "standard_rated"
    tax = {
        "amount": taken,
        "rate": find_tax_rate(transaction, rate, country, inclusive=inclusive),
        "taxability_reason": reason,
        "taxable_amount": amount - taken if inclusive else amount,
    }
    return {**untaxed, "amount_tax": taken, "amount_total": amount + (0 if inclusive else taken), "_taxes": [tax]}


def _sum_by_rate(items: list[Document]) -> list[Document]:
    sums: dict[tuple[str, str], Document] = {}
    for tax in (tax for item in items for tax in item["_taxes"]):
        key = tax["rate"]["id"], tax["taxability_reason"]
        known = sums.setdefault(key, {**tax, "amount": 0, "taxable_amount": 0})
        known["amount"] += tax["amount"]
        known["taxable_amount"] += tax["taxable_amount"]
    return list(sums.values())
