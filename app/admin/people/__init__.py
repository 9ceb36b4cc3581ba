"""Learners in the back-office: the list and its CSV, a person's page, what is done there, the site seen as them."""

from app.admin.people import deeds, listing, person, seeing

__all__ = ["deeds", "listing", "person", "seeing"]
