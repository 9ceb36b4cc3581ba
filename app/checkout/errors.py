"""What can stop a purchase, each as its own fact."""

from app.errors import AppError


class NotOnSale(AppError):
    """The price is retired, unknown, or its course is not public."""

    code = "not_on_sale"
    status = 404
    title = "This isn’t on sale"
    sentence = "The price may have changed. Open the course page and press Enroll there."
    nothing_charged = True


class SoldOut(AppError):
    """Every seat is taken or held by somebody who is paying right now."""

    code = "sold_out"
    status = 409
    title = "Every seat is taken"
    sentence = "A seat may come free when somebody doesn’t finish paying. Try again later."
    nothing_charged = True


class AlreadyEnrolled(AppError):
    """The buyer owns this; order_public_id is the order that says so, None for a grant by hand or another product."""

    code = "already_enrolled"
    status = 409
    title = "You already have this course"
    sentence = "There’s nothing to pay: continue where you left off."
    nothing_charged = True

    def __init__(self, *, order_public_id: str | None) -> None:
        super().__init__()
        self.order_public_id = order_public_id


class CodeUnusable(AppError):
    """The promotion code is unknown, over, used up or not for this: one answer for all, so that none can be guessed."""

    code = "code_unusable"
    status = 422
    title = "This code doesn’t work here"
    sentence = "This code can’t be used for this purchase. Check its spelling, or leave it out."
    nothing_charged = True

    def __init__(self) -> None:
        super().__init__(field="code")


class EmailNeeded(AppError):
    """Nothing is to pay, so no Stripe page asks a guest for the address; or a code counts uses by person."""

    code = "email_needed"
    status = 422
    title = "One thing is missing"
    sentence = "Enter the email address that should have access."

    def __init__(self) -> None:
        super().__init__(field="email")


class CheckoutChanged(AppError):
    """Another tab of the same buyer chose differently in the same moment; only one choice may be payable."""

    code = "checkout_changed"
    status = 409
    title = "You changed your mind in another tab"
    sentence = "Open the course and choose again: only one checkout can be open at a time."
    nothing_charged = True


class AmountMismatch(AppError):
    """What Stripe charged is not what the order says (P1): nothing was granted, a person must look."""

    code = "amount_mismatch"
    status = 409
    title = "We’re checking your payment"
    sentence = "The payment doesn’t match the order. A person looks at it now and writes to you."


class UnknownOrder(AppError):
    """Stripe says an object is ours, and we know no such order (P9)."""

    code = "unknown_order"
    status = 404
