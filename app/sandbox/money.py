"""Currencies: how many decimals they have, the least Stripe charges, and how an amount is written.

Source: Stripe's page on currencies (read 2026-11). Amounts are integers in the minor unit throughout.
"""

from app.sandbox.documents import words

ZERO_DECIMAL = frozenset(words("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"))
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
OTHER_CURRENCIES = frozenset(
    words(
        "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf "
        "cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr "
        "isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn "
        "nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb "
        "tjs top try ttd twd tzs uah ugx uyu uzs wst xcd yer zar zmw"
    )
)
CURRENCIES = ZERO_DECIMAL | THREE_DECIMAL | OTHER_CURRENCIES

MINIMUM_CHARGE = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
LARGEST_CHARGE = 99_999_999
_LARGER = {"idr": 999_999_999_999, "inr": 999_999_999}
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "inr": "₹", "huf": "Ft ", "pln": "zł ", "chf": "CHF "}


def exponent(currency: str) -> int:
    """Decimals between the unit people say and the unit Stripe counts: 0, 2 or 3."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def minimum_charge(currency: str) -> int:
    """The least total that can be charged; for currencies Stripe does not list, one minor unit stands in."""
    return MINIMUM_CHARGE.get(currency, 10 if currency in THREE_DECIMAL else 1)


def largest_charge(currency: str) -> int:
    return _LARGER.get(currency, LARGEST_CHARGE)


def format_amount(amount: int, currency: str) -> str:
    """`$97.00`, `¥500`, `KWD 5.000`; the sign stands first."""
    places = exponent(currency)
    sign = "−" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**places)
    number = f"{whole:,}" + (f".{rest:0{places}d}" if places else "")
    return f"{sign}{_SYMBOLS.get(currency, currency.upper() + ' ')}{number}"


def split_in_proportion(total: int, weights: list[int]) -> list[int]:
    """`total` shared out by weight, exact to the minor unit: the remainders go to the earliest."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    missing = total - sum(shares)
    for index in sorted(range(len(weights)), key=lambda i: -(total * weights[i] % whole))[:missing]:
        shares[index] += 1
    return shares
