"""Stripe and jobs: who reads the inbox, who replays, who touches the account."""

READ, WRITE = "stripe:read", "stripe:write"
ROUTES = {
    ("GET", "/admin/stripe"): READ,
    ("POST", "/admin/stripe"): WRITE,
    ("GET", "/admin/stripe/replay-failed"): WRITE,
    ("POST", "/admin/stripe/replay-failed"): WRITE,
    ("GET", "/admin/stripe/events/<event_id>"): READ,
    ("GET", "/admin/stripe/events/<event_id>/replay"): WRITE,
    ("POST", "/admin/stripe/events/<event_id>/replay"): WRITE,
    ("GET", "/admin/stripe/health"): READ,
    ("POST", "/admin/stripe/health/check"): WRITE,
    ("POST", "/admin/stripe/health/endpoint"): WRITE,
    ("GET", "/admin/stripe/comparison"): READ,
    ("POST", "/admin/stripe/comparison"): WRITE,
    ("POST", "/admin/stripe/comparison/dry-run"): WRITE,
    ("GET", "/admin/stripe/products"): READ,
    ("POST", "/admin/stripe/products/compare"): WRITE,
    ("POST", "/admin/stripe/products/send"): WRITE,
    ("POST", "/admin/stripe/products/<public_id>/send"): WRITE,
    ("GET", "/admin/stripe/import"): WRITE,
    ("POST", "/admin/stripe/import"): WRITE,
    ("GET", "/admin/jobs"): READ,
    ("POST", "/admin/jobs/mails"): "orders:write",
}
