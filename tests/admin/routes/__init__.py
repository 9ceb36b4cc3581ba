"""Which permission each address of the back-office needs, written down a second time: one module an area.

ROUTES in each: (method, rule as Flask knows it) -> permission, or "any" for all staff.
"""

import importlib
import pkgutil

Route = tuple[str, str]


def list_routes() -> dict[Route, str]:
    """All areas' rows."""
    found: dict[Route, str] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        rows: dict[Route, str] = importlib.import_module(module.name).ROUTES
        twice = found.keys() & rows.keys()
        assert not twice, f"written down twice: {twice}"
        found |= rows
    return found
