"""Orders: who reads, who changes, who gives money back."""

READ, WRITE, REFUND = "orders:read", "orders:write", "orders:refund"
ROUTES = {
    ("GET", "/admin/search"): "any",
    ("GET", "/admin/orders"): READ,
    ("GET", "/admin/orders/export.csv"): READ,
    ("GET", "/admin/orders/<public_id>"): READ,
    ("GET", "/admin/orders/<public_id>/access"): READ,
    ("GET", "/admin/orders/<public_id>/invoice"): READ,
    ("GET", "/admin/orders/<public_id>/refund"): REFUND,
    ("POST", "/admin/orders/<public_id>/refund"): REFUND,
    ("GET", "/admin/orders/<public_id>/move"): WRITE,
    ("POST", "/admin/orders/<public_id>/move"): WRITE,
    ("POST", "/admin/orders/<public_id>/moves/<move>/undo"): WRITE,
    ("POST", "/admin/orders/<public_id>/notes"): WRITE,
    ("POST", "/admin/orders/<public_id>/receipt"): WRITE,
    ("POST", "/admin/orders/<public_id>/seats/<seat>/claim-link"): WRITE,
    ("GET", "/admin/orders/free-seats"): READ,
    ("GET", "/admin/orders/free-seats/new"): WRITE,
    ("POST", "/admin/orders/free-seats/new"): WRITE,
    ("POST", "/admin/orders/free-seats/<user>/<course>/close"): WRITE,
    ("POST", "/admin/orders/free-seats/<user>/<course>/reopen"): WRITE,
}
