"""Notes that only the team sees, in an order's timeline."""

from sqlalchemy import select

from app import clock
from app.audit import record_audit
from app.checkout.models import Order, OrderNote
from app.db import retry_conflicts, transaction
from app.errors import InvalidInput, NotFound

LONGEST_NOTE = 2000


@retry_conflicts
def add_note(*, order_public_id: str, text: str, user_id: int) -> None:
    """Write a note to the order's timeline. Raises NotFound, InvalidInput (field "text")."""
    cleaned = text.strip()
    if not cleaned:
        raise InvalidInput("Write the note first.", field="text")
    if len(cleaned) > LONGEST_NOTE:
        raise InvalidInput(f"Use at most {LONGEST_NOTE} characters.", field="text")
    with transaction() as session:
        order_id = session.scalar(select(Order.id).where(Order.public_id == order_public_id))
        if order_id is None:
            raise NotFound("There is no such order.")
        session.add(OrderNote(order_id=order_id, kind="note", text=cleaned, actor_id=user_id, created_at=clock.now()))
        record_audit(
            action="order.note_added", subject_type="order", subject_id=order_public_id, after={"text": cleaned}
        )
