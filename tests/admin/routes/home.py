"""The first page, and the buttons on it that fix what needs attention."""

FINDING = "/admin/attention/findings/<path:key>"

ROUTES = {
    ("GET", "/admin/"): "any",
    ("POST", "/admin/attention/events"): "stripe:write",
    ("POST", "/admin/attention/mails"): "orders:write",
    ("POST", "/admin/attention/orders/<public_id>"): "orders:write",
    ("GET", FINDING): "orders:read",
    ("POST", FINDING): "orders:write",
}
