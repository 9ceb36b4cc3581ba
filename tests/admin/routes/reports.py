"""Reports and their exports."""

ROUTES = {
    ("GET", "/admin/reports"): "reports:read",
    ("GET", "/admin/reports/<name>"): "reports:read",
    ("GET", "/admin/reports/<name>.csv"): "reports:read",
}
