"""What the states and errors of Stripe's events mean, in words for people."""

STATE_WORDS = {
    "received": ("Waiting", "warn"),
    "handled": ("Handled", "ok"),
    "ignored": ("Ignored", "hollow"),
    "failed": ("Failed", "bad"),
}
STATE_MEANINGS = {
    "received": "It is stored and waits for its next try. Tries come at growing distances, for about a day.",
    "handled": "Its order was compared with Stripe and brought in line.",
    "ignored": "It has no effect here: its type, its mode or its owner is not this shop’s.",
    "failed": "It was given up after many tries. Nothing tries it again by itself: replay it once the cause is gone.",
}
ERRORS = {
    "payment_unavailable": "Stripe did not answer when the shop asked about it.",
    "payment_refused": "Stripe refused the shop’s question about it.",
    "stripe_object_missing": "Stripe does not know the object that it is about.",
    "unknown_order": "It names an order that is not in this shop.",
    "database_busy": "The database was busy for too long.",
    "order_changed": "The order changed while it was read.",
}
CRASHED = "crashed: "


def explain_error(error: str | None) -> str:
    """Why the last try of an event failed, "" where none did."""
    if not error:
        return ""
    if error.startswith(CRASHED):
        return (
            f"Handling it stopped with an error in the program ({error.removeprefix(CRASHED)}). The log has the rest."
        )
    return ERRORS.get(error, f"Handling it failed: {error.replace('_', ' ')}.")
