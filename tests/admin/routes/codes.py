"""Promotion codes."""

ROUTES = {
    ("GET", "/admin/codes"): "prices:read",
    ("GET", "/admin/codes/export.csv"): "prices:read",
    ("GET", "/admin/codes/new"): "prices:write",
    ("POST", "/admin/codes/new"): "prices:write",
    ("GET", "/admin/codes/<public_id>"): "prices:read",
    ("POST", "/admin/codes/<public_id>"): "prices:write",
    ("POST", "/admin/codes/<public_id>/disable"): "prices:write",
    ("POST", "/admin/codes/<public_id>/enable"): "prices:write",
}
