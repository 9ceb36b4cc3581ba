"""Settings: the owner's. Withdrawals: whoever reads orders."""

SECTION = "/admin/settings/<section>"
ROUTES = {
    ("GET", "/admin/settings"): "shop:write",
    ("GET", SECTION): "shop:write",
    ("POST", SECTION): "shop:write",
    ("POST", f"{SECTION}/reset"): "shop:write",
    ("POST", f"{SECTION}/undo"): "shop:write",
    ("POST", "/admin/settings/brand/logo"): "shop:write",
    ("POST", "/admin/settings/brand/logo/remove"): "shop:write",
    ("POST", "/admin/settings/mail/test"): "shop:write",
    ("GET", "/admin/orders/withdrawals"): "orders:read",
}
