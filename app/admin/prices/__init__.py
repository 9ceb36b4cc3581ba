"""Prices in the back-office: replaced, planned ahead, put on sale, stopped. One page for a course's and a bundle's."""

from app.admin.prices import changes, page

# Imported for the routes they hang on the blueprint.
VIEWS = (changes, page)
