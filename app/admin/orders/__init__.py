"""Orders in the back-office: the list and its CSV, the order's page, refunds, moves, courses given without payment."""

from app.admin.orders import deeds, free_seats, listing, moves, order, refunds

__all__ = ["deeds", "free_seats", "listing", "moves", "order", "refunds"]
