"""An offline stand-in for Stripe: the API a shop uses, a hosted Checkout page, signed webhooks, and levers for trouble.

Stand-alone: it imports nothing of the shop and not Stripe's SDK, and the shop knows nothing of it but its address.
Run it with `python -m app.sandbox`; tests start it with app.sandbox.application.create_sandbox.
"""
