"""Learners and newsletter subscribers: who reads, who changes."""

READ, WRITE = "people:read", "people:write"
ROUTES = {
    ("GET", "/admin/people"): READ,
    ("GET", "/admin/people/export.csv"): READ,
    ("GET", "/admin/people/<public_id>"): READ,
    ("GET", "/admin/people/<public_id>/access"): "orders:read",
    ("POST", "/admin/people/<public_id>/see-as"): WRITE,
    ("POST", "/admin/people/see-as/end"): "any",
    ("POST", "/admin/people/<public_id>/sign-in-link"): WRITE,
    ("POST", "/admin/people/<public_id>/sign-out"): WRITE,
    ("POST", "/admin/people/<public_id>/notes"): WRITE,
    ("GET", "/admin/people/<public_id>/close"): WRITE,
    ("POST", "/admin/people/<public_id>/close"): WRITE,
    ("POST", "/admin/people/<public_id>/open"): WRITE,
    ("POST", "/admin/people/<public_id>/claim-link"): "orders:write",
    ("POST", "/admin/people/<public_id>/receipt"): "orders:write",
    ("GET", "/admin/newsletter"): READ,
    ("GET", "/admin/newsletter/export.csv"): READ,
    ("GET", "/admin/newsletter/<public_id>"): READ,
    ("POST", "/admin/newsletter/<public_id>/confirmation"): WRITE,
    ("POST", "/admin/newsletter/<public_id>/unsubscribe"): WRITE,
    ("GET", "/admin/newsletter/<public_id>/erase"): WRITE,
    ("POST", "/admin/newsletter/<public_id>/erase"): WRITE,
    ("POST", "/admin/newsletter/<public_id>/allow"): WRITE,
}
