"""The first page."""

ROUTES = {("GET", "/admin/"): "any"}
