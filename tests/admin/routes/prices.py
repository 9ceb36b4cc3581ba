"""Prices and bundles: whoever reads prices sees them, whoever writes prices changes them."""

READ, WRITE = "prices:read", "prices:write"
PRICES = "/admin/prices/<product_id>"
STOP = f"{PRICES}/<price_id>/stop"
BUNDLE = "/admin/bundles/<public_id>"
ROUTES = {
    ("GET", PRICES): READ,
    ("GET", f"{PRICES}/change"): WRITE,
    ("POST", f"{PRICES}/change"): WRITE,
    ("GET", STOP): WRITE,
    ("POST", STOP): WRITE,
    ("GET", "/admin/bundles"): READ,
    ("GET", "/admin/bundles/new"): WRITE,
    ("POST", "/admin/bundles/new"): WRITE,
    ("GET", BUNDLE): READ,
    ("POST", BUNDLE): WRITE,
}
