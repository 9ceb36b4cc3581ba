"""Staff, API keys and the activity log."""

ROUTES = {
    ("GET", "/admin/staff"): "staff:write",
    ("GET", "/admin/staff/new"): "staff:write",
    ("POST", "/admin/staff/new"): "staff:write",
    ("GET", "/admin/staff/<public_id>"): "staff:write",
    ("POST", "/admin/staff/<public_id>"): "staff:write",
    ("POST", "/admin/staff/<public_id>/remove"): "staff:write",
    ("GET", "/admin/api-keys"): "staff:write",
    ("GET", "/admin/api-keys/new"): "staff:write",
    ("POST", "/admin/api-keys/new"): "staff:write",
    ("GET", "/admin/api-keys/<public_id>/revoke"): "staff:write",
    ("POST", "/admin/api-keys/<public_id>/revoke"): "staff:write",
    ("GET", "/admin/audit"): "audit:read",
}
