"""Countries that the hosted page offers, with what the sandbox takes for tax there. A table for tests, not tax advice.

Rates are the general ones of 2026, in thousandths of a percent. In the United States the first three digits of the
postal code name the state; states without a rate here tax no online courses.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """One tax: how much, of which kind, and where."""

    thousandths: int
    kind: str
    place: str
    level: str = "country"

    @property
    def percent(self) -> float:
        return self.thousandths / 1000


def _vat(country: str, thousandths: int) -> Rate:
    return Rate(thousandths, "vat", country)


NAMES = {
    "AT": "Austria", "AU": "Australia", "BE": "Belgium", "BG": "Bulgaria", "BR": "Brazil", "CA": "Canada",
    "CH": "Switzerland", "CY": "Cyprus", "CZ": "Czechia", "DE": "Germany", "DK": "Denmark", "EE": "Estonia",
    "ES": "Spain", "FI": "Finland", "FR": "France", "GB": "United Kingdom", "GR": "Greece", "HR": "Croatia",
    "HU": "Hungary", "IE": "Ireland", "IN": "India", "IT": "Italy", "JP": "Japan", "KW": "Kuwait", "LT": "Lithuania",
    "LU": "Luxembourg", "LV": "Latvia", "MT": "Malta", "MX": "Mexico", "NL": "Netherlands", "NO": "Norway",
    "NZ": "New Zealand", "PL": "Poland", "PT": "Portugal", "RO": "Romania", "SE": "Sweden", "SG": "Singapore",
    "SI": "Slovenia", "SK": "Slovakia", "US": "United States", "ZA": "South Africa",
}  # fmt: skip
_EU_VAT = {
    "AT": 20_000, "BE": 21_000, "BG": 20_000, "CY": 19_000, "CZ": 21_000, "DE": 19_000, "DK": 25_000, "EE": 24_000,
    "ES": 21_000, "FI": 25_500, "FR": 20_000, "GR": 24_000, "HR": 25_000, "HU": 27_000, "IE": 23_000, "IT": 22_000,
    "LT": 21_000, "LU": 17_000, "LV": 21_000, "MT": 18_000, "NL": 21_000, "PL": 23_000, "PT": 23_000, "RO": 21_000,
    "SE": 25_000, "SI": 22_000, "SK": 23_000,
}  # fmt: skip
EU = frozenset(_EU_VAT)
_RATES = {country: _vat(country, thousandths) for country, thousandths in _EU_VAT.items()} | {
    "AU": Rate(10_000, "gst", "AU"),
    "CA": Rate(5_000, "gst", "CA"),
    "CH": _vat("CH", 8_100),
    "GB": _vat("GB", 20_000),
    "IN": Rate(18_000, "igst", "IN"),
    "JP": Rate(10_000, "jct", "JP"),
    "NO": _vat("NO", 25_000),
    "NZ": Rate(15_000, "gst", "NZ"),
    "SG": Rate(9_000, "gst", "SG"),
    "ZA": _vat("ZA", 15_000),
}
_STATES = (
    (range(100, 150), Rate(8_875, "sales_tax", "NY", "state")),
    (range(150, 197), Rate(6_000, "sales_tax", "PA", "state")),
    (range(750, 800), Rate(6_250, "sales_tax", "TX", "state")),
    (range(980, 995), Rate(6_500, "sales_tax", "WA", "state")),
)


def find_rate(country: str, postal_code: str) -> Rate | None:
    """The tax that is taken there; None where the sandbox takes none."""
    if country != "US":
        return _RATES.get(country)
    digits = postal_code.strip()[:3]
    if not (digits.isascii() and digits.isdigit()):
        return None
    return next((rate for states, rate in _STATES if int(digits) in states), None)


def needs_postal_code(country: str) -> bool:
    """Whether tax cannot be told from the country alone."""
    return country == "US"
