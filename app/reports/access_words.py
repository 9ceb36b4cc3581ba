"""What each verdict says to people, which step decides it, and what helps. Codes are stable: scripts compare them."""

from dataclasses import dataclass

from app.reports.access_shape import Fix, StepKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """One verdict: its heading, its sentence with fields to fill in, what helps, and the kind of step that decides.

    others is what somebody who did not pay reads instead; "" where it is the same.
    """

    heading: str
    sentence: str
    fix: Fix
    kind: StepKind
    others: str = ""


# The order is the rank: of several purchases, the one nearest to an open course decides.
NEAR: dict[str, Words] = {
    "open": Words(
        heading="Your course is open",
        sentence="{course} is open in the account of {own}{until}.",
        fix="open",
        kind="grant",
    ),
    "wrong_account": Words(
        heading="It’s in another account",
        sentence="{course} is in the account of {address}, and you’re signed in as {own}.",
        fix="switch",
        kind="claim",
    ),
    "unclaimed": Words(
        heading="One step is left",
        sentence="Open the link we sent to {address}{on}, and {course} is yours.",
        fix="resend",
        kind="claim",
    ),
    "mail_waiting": Words(
        heading="Your link is on its way",
        sentence="The email with the link to {course} is about to reach {address}.",
        fix="wait",
        kind="mail",
    ),
    "mail_failed": Words(
        heading="Our email didn’t reach you",
        sentence="{course} is yours, but the email with its link couldn’t be delivered to {address}.",
        fix="resend",
        kind="mail",
    ),
    "mail_missing": Words(
        heading="The link wasn’t sent yet",
        sentence="{course} is yours, but no email with its link went to {address} yet.",
        fix="resend",
        kind="mail",
    ),
    "link_expired": Words(
        heading="The link has ended",
        sentence="{course} is still yours, but the link sent to {address} ended{on}.",
        fix="resend",
        kind="claim",
    ),
    "under_review": Words(
        heading="We’re checking your payment",
        sentence="The amount paid doesn’t match the order, so a person is looking at it and writes to you.",
        fix="contact",
        kind="payment",
    ),
    "processing": Words(
        heading="Your bank is still working on it",
        sentence="Bank payments can take up to {days} business days, and {course} opens as soon as yours arrives.",
        fix="wait",
        kind="payment",
    ),
    "unpaid": Words(
        heading="The payment isn’t finished",
        sentence="The checkout for {course} was begun and not finished, so you haven’t been charged.",
        fix="pay",
        kind="payment",
    ),
    "disputed": Words(
        heading="It’s on hold",
        sentence="Your bank is looking into this payment, so {course} is on hold until it decides.",
        others="The buyer’s bank is looking into the payment, so {course} is on hold until it decides.",
        fix="contact",
        kind="dispute",
    ),
    "gift_scheduled": Words(
        heading="The gift is waiting for its day",
        sentence="{course} goes to {address}{on}.",
        fix="wait",
        kind="mail",
    ),
    "gift_unclaimed": Words(
        heading="Your gift is waiting to be opened",
        sentence="We sent {course} to {address}{on}, and the link wasn’t used yet.",
        fix="resend",
        kind="claim",
    ),
    "incomplete": Words(
        heading="Something is missing on our side",
        sentence="The payment is here, but {course} didn’t open. Write to us and we put it right.",
        fix="contact",
        kind="seat",
    ),
    "unassigned": Words(
        heading="The seats are yours to give out",
        sentence="This order’s seats in {course} are for your team, and none of them is yours yet.",
        fix="seats",
        kind="seat",
    ),
}

# These ended: of several, the newest decides.
ENDED: dict[str, Words] = {
    "access_ended": Words(
        heading="Your access has ended",
        sentence="Your time with {course} ran out{on}. Your progress is kept.",
        fix="buy",
        kind="grant",
    ),
    "reassigned": Words(
        heading="The seat went to somebody else",
        sentence="Your seat in {course} was given to {address}.",
        fix="seats",
        kind="seat",
    ),
    "gift_opened": Words(
        heading="Your gift was opened",
        sentence="{course} is open in the account of {address}, to whom you gave it.",
        fix="buy",
        kind="claim",
    ),
    "refunded": Words(
        heading="The money went back",
        sentence="{amount} went back to you, so {course} is closed.",
        others="The money for your seat went back to its buyer, so {course} is closed.",
        fix="refund",
        kind="refund",
    ),
    "seat_refunded": Words(
        heading="This seat was refunded",
        sentence="The money for this seat went back to you, so {course} is closed.",
        others="The money for your seat went back to its buyer, so {course} is closed.",
        fix="refund",
        kind="refund",
    ),
    "sold_out": Words(
        heading="The last seat was gone",
        sentence="Every seat in {course} was taken before your payment arrived, so the money goes back by itself.",
        fix="refund",
        kind="seat",
    ),
    "dispute_lost": Words(
        heading="Your bank returned the payment",
        sentence="The money went back to you through your bank, so {course} is closed.",
        others="The money for your seat went back to its buyer, so {course} is closed.",
        fix="contact",
        kind="dispute",
    ),
    "closed": Words(
        heading="The access was closed",
        sentence="Your access to {course} was closed{on}.",
        fix="contact",
        kind="grant",
    ),
    "failed": Words(
        heading="The payment didn’t go through",
        sentence="{reason} You haven’t been charged.",
        fix="pay",
        kind="payment",
    ),
    "expired": Words(
        heading="This checkout has ended",
        sentence="The checkout for {course} stayed open too long, so we closed it. You haven’t been charged.",
        fix="pay",
        kind="payment",
    ),
}

NOTHING = "nothing"
CONFIRMING = "confirming"
OTHERS: dict[str, Words] = {
    NOTHING: Words(
        heading="Nothing opens it yet",
        sentence="We know of no order, invitation or gift of {course} for {own}.",
        fix="buy",
        kind="nothing",
    ),
    # Stripe does not answer: nothing is known that was not known before.
    CONFIRMING: Words(
        heading="We’re still confirming your payment",
        sentence="The answer isn’t here yet. Look again in a few minutes; we also email you.",
        fix="wait",
        kind="payment",
    ),
}
VERDICTS: dict[str, Words] = {**NEAR, **ENDED, **OTHERS}
RANKS: dict[str, int] = {code: rank for rank, code in enumerate(NEAR)}

# The grant is live, and something else is in the way.
CLOSED_ACCOUNT = "{course} is in the account of {own}, but that account is closed."
# A membership opened the course and ended or paused: no bank and no order stands behind the sentence.
MEMBERSHIP = {
    "disputed": "Your membership is on hold, and {course} with it.",
    "closed": "Your membership closed{on}, and {course} with it. Your progress is kept.",
    "access_ended": "Your membership ran out{on}, and {course} with it. Your progress is kept.",
}
