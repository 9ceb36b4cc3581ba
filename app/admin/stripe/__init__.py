"""/admin/stripe: the inbox of events, how the webhooks do, products and prices at Stripe, and the comparison."""

from app.admin.stripe import comparison, event, health, importing, inbox, sync

# Imported for the routes they hang on the blueprint.
PAGES = (comparison, event, health, importing, inbox, sync)
