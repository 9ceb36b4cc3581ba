"""Orders and their money. An order's state is derived from its ledger; the columns keep the result for queries."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db import Base, UTCDateTime

OPEN_ORDER = text("state = 'pending'")
# The words of the buyer's name, for a search that finds "Okafor"; PostgreSQL takes only this very expression for it.
NAME_WORDS = text("to_tsvector('simple', customer_name)")


class Order(Base):
    """A purchase, written with its snapshot before Stripe is called. Amounts are minor units of currency."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'processing', 'paid', 'partially_refunded', 'refunded', 'disputed', 'lost',"
            " 'failed', 'expired')",
            name="state",
        ),
        CheckConstraint("total_amount >= 0 AND subtotal_amount >= 0 AND discount_amount >= 0", name="amounts"),
        CheckConstraint("purpose IN ('self', 'team', 'gift')", name="purpose"),
        # One payable order for one buyer and product: the second click finds the first click's row, and a changed
        # mind (another price, code, quantity) must close it first.
        Index(
            "uq_orders_open",
            "buyer_key",
            "choice_key",
            unique=True,
            sqlite_where=OPEN_ORDER,
            postgresql_where=OPEN_ORDER,
        ),
        Index("ix_orders_state_created", "state", "created_at"),
        Index("ix_orders_currency_created", "currency", "created_at"),
        # Addresses by how they begin: the plain index is in the order of the database's language.
        Index("ix_orders_email_prefix", "email", postgresql_ops={"email": "varchar_pattern_ops"}),
        Index("ix_orders_name_words", NAME_WORDS, postgresql_using="gin").ddl_if(dialect="postgresql"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    number: Mapped[int | None] = mapped_column(unique=True)  # the invoice number; none until money arrived
    buyer_key: Mapped[str] = mapped_column(String(80), index=True)  # "user:7" or "browser:<random>"
    choice_key: Mapped[str] = mapped_column(String(200))  # what is bought: the product's public id
    # What exactly was chosen of it, as a hash: price, quantity, code, gift, address. The same click gives the same one.
    choice_digest: Mapped[str] = mapped_column(String(64), default="")
    purpose: Mapped[str] = mapped_column(String(10), default="self")
    takes_seat: Mapped[bool] = mapped_column(default=True)  # whether the buyer sits on the first seat
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)  # none for a guest
    email: Mapped[str | None] = mapped_column(String(320), index=True)  # none until a guest typed it at Stripe
    customer_name: Mapped[str] = mapped_column(String(200), default="")
    livemode: Mapped[bool]
    currency: Mapped[str] = mapped_column(String(3))
    subtotal_amount: Mapped[int]
    discount_amount: Mapped[int] = mapped_column(default=0)
    tax_amount: Mapped[int] = mapped_column(default=0)  # Stripe's automatic tax, known once paid
    is_tax_included: Mapped[bool] = mapped_column(default=False)  # whether total_amount holds tax_amount already
    # subtotal - discount; what Stripe must ask for, tax on top apart
    total_amount: Mapped[int] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(20), default="pending")
    failure_reason: Mapped[str | None] = mapped_column(String(300))  # of the last declined try
    payment_method_label: Mapped[str] = mapped_column(String(80), default="")
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(String(255), unique=True)  # none: free or not begun
    stripe_customer_id: Mapped[str | None] = mapped_column(String(255), index=True)
    # none: the shop does not let Stripe make them
    stripe_invoice_id: Mapped[str | None] = mapped_column(String(255), index=True)
    # ISO 3166 code of the address that Stripe took, as its tax goes by; none: not paid, or Stripe asked for no address.
    country: Mapped[str | None] = mapped_column(String(2))
    # Counts up when the order goes to another address: links mailed before carry the old number, and die.
    link_version: Mapped[int] = mapped_column(default=1)
    # Of the right to withdraw, as the shop had it then; none: it offered no withdrawal.
    withdrawal_days: Mapped[int | None]
    attention: Mapped[str | None] = mapped_column(Text)  # why a person should look; none: nothing to do
    # When the last applied reading of Stripe began: an older reading must not overwrite a newer one.
    read_started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    check_after: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)  # none: nothing to wait for
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    paid_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
    expired_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    items: Mapped[list["OrderItem"]] = relationship(lazy="raise", order_by="OrderItem.id")
    attempts: Mapped[list["CheckoutAttempt"]] = relationship(lazy="raise", order_by="CheckoutAttempt.number")
    entries: Mapped[list["LedgerEntry"]] = relationship(lazy="raise", order_by="LedgerEntry.id")

    @property
    def charged_amount(self) -> int:
        """What the buyer paid or pays, in minor units of currency: the total and the tax that comes on top of it."""
        return self.total_amount if self.is_tax_included else self.total_amount + self.tax_amount


class OrderItem(Base):
    """What was bought, as it was then: later edits of the course or its price do not reach it."""

    __tablename__ = "order_items"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("held_quantity >= 0 AND held_quantity <= quantity", name="held_quantity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), index=True)
    price_id: Mapped[int] = mapped_column(ForeignKey("prices.id"), index=True)
    title: Mapped[str] = mapped_column(String(160))
    currency: Mapped[str] = mapped_column(String(3))
    unit_amount: Mapped[int]
    quantity: Mapped[int]
    held_quantity: Mapped[int] = mapped_column(default=0)  # how many of the product's taken seats are this item's
    subtotal_amount: Mapped[int]
    discount_amount: Mapped[int] = mapped_column(default=0)
    tax_amount: Mapped[int] = mapped_column(default=0)
    total_amount: Mapped[int]
    courses: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # course_id, title, access_days
    refund_days: Mapped[int]


class Gift(Base):
    """Whom an order is for, where that is not its buyer."""

    __tablename__ = "gifts"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    recipient_email: Mapped[str] = mapped_column(String(320))
    recipient_name: Mapped[str] = mapped_column(String(120), default="")
    giver_name: Mapped[str] = mapped_column(String(120), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    send_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none: as soon as it is paid


class CheckoutAttempt(Base):
    """One try to open a Checkout Session. Its idempotency key is stored before Stripe is called (R5)."""

    __tablename__ = "checkout_attempts"
    __table_args__ = (UniqueConstraint("order_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    number: Mapped[int] = mapped_column(default=1)
    idempotency_key: Mapped[str] = mapped_column(String(255), unique=True)
    stripe_checkout_session_id: Mapped[str | None] = mapped_column(
        String(255), unique=True
    )  # none until Stripe answered
    url: Mapped[str | None] = mapped_column(Text)  # none until Stripe answered
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class LedgerEntry(Base):
    """A fact about money that Stripe stated, once for each of its objects; never changed, never removed."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("kind", "stripe_object_id"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint(
            "kind IN ('payment', 'refund', 'refund_failed', 'dispute_opened', 'dispute_withdrawn',"
            " 'dispute_reinstated', 'dispute_won', 'dispute_lost')",
            name="kind",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    stripe_object_id: Mapped[str] = mapped_column(String(255), index=True)
    related_stripe_object_id: Mapped[str | None] = mapped_column(String(255))  # the charge a refund or dispute is of
    refund_request_id: Mapped[int | None] = mapped_column(ForeignKey("refund_requests.id"))  # none: not asked by us
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(40), default="")  # Stripe's word when it was written
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)


class StripeFee(Base):
    """What Stripe kept of one movement of an order's money, once for each balance transaction; never changed.

    amount is in minor units of currency, which Stripe pays out in and may not be the order's; negative: given back.
    """

    __tablename__ = "stripe_fees"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    stripe_balance_transaction_id: Mapped[str] = mapped_column(String(255), unique=True)
    stripe_object_id: Mapped[str] = mapped_column(String(255))  # the charge, refund or dispute
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)


class RefundRequest(Base):
    """Our wish to give money back, stored before Stripe is called with its key."""

    __tablename__ = "refund_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(40), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    order_item_id: Mapped[int | None] = mapped_column(ForeignKey("order_items.id"))  # none: of the whole order
    seat_id: Mapped[int | None] = mapped_column(ForeignKey("seats.id"))  # none: not of one seat
    request_key: Mapped[str] = mapped_column(String(120), unique=True)  # two clicks carry the same one
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str] = mapped_column(String(300), default="")
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # none: by the system
    stripe_charge_id: Mapped[str] = mapped_column(String(255))
    stripe_refund_id: Mapped[str | None] = mapped_column(String(255), unique=True)  # none until Stripe answered
    error: Mapped[str | None] = mapped_column(Text)  # Stripe's final no; none while it may still succeed
    attempt_count: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class PromotionRedemption(Base):
    """A use of a code, reserved at checkout and given back when the order ends unpaid."""

    __tablename__ = "promotion_redemptions"
    __table_args__ = (CheckConstraint("status IN ('reserved', 'redeemed', 'released')", name="status"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    promotion_code_id: Mapped[int] = mapped_column(ForeignKey("promotion_codes.id"), index=True)
    customer_key: Mapped[str] = mapped_column(String(340), index=True)
    amount: Mapped[int]
    status: Mapped[str] = mapped_column(String(20), default="reserved")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class OrderConsent(Base):
    """What the buyer agreed to, in the words shown."""

    __tablename__ = "order_consents"
    __table_args__ = (UniqueConstraint("order_id", "kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    kind: Mapped[str] = mapped_column(String(40))
    text_version: Mapped[str] = mapped_column(String(40))
    text: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(UTCDateTime)


class OrderNote(Base):
    """A line in the order's timeline: what happened, who did it and why."""

    __tablename__ = "order_notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    kind: Mapped[str] = mapped_column(String(30))
    text: Mapped[str] = mapped_column(Text)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # none: Stripe or the system
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


class TouchPoint(Base):
    """A post on the way to an order, position 0 first, and the place on it that was pressed. No person is in it.

    The last row also keeps the UTM values that a link brought; it has no post where only such a link led here.
    """

    __tablename__ = "touch_points"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    post_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id", ondelete="SET NULL"), index=True)
    position: Mapped[int]
    is_last: Mapped[bool] = mapped_column(default=True)
    place: Mapped[str] = mapped_column(String(20), default="")  # "side", "end", "text", "" where it is not known
    utm: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    touched_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Finding(Base):
    """Something about money that a machine could not heal; open until resolved_at."""

    __tablename__ = "findings"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)  # none: no order is known
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  # none while open
    resolution: Mapped[str | None] = mapped_column(Text)  # how it was resolved; none while open


class InvoiceCounter(Base):
    """The last invoice number given out: one row, moved by one update in the transaction that records the payment."""

    __tablename__ = "invoice_counters"

    id: Mapped[int] = mapped_column(primary_key=True)
    last_number: Mapped[int]
