"""The steps of the mails and of the link in them: whether it went out, to whom, and whether it was used."""

from app.formatting import date_long, datetime_short, mask_email
from app.mail.models import Message
from app.mail.services import HELD
from app.reports.access_shape import AccessStep, StepState
from app.reports.access_strands import Strand, make_step

REFUSED_ADDRESS = "SMTPRecipientsRefused"


def list_mail_steps(strand: Strand) -> list[AccessStep]:
    """The buyer's newest receipt, and the newest mail with the link that works now."""
    steps = []
    if strand.is_buyer and strand.receipts:
        steps.append(_mail_step(strand, strand.receipts[-1], name="The receipt"))
    if strand.link_mail is not None:
        is_gift = strand.link_mail.template == "gift_seat"
        steps.append(_mail_step(strand, strand.link_mail, name="The gift" if is_gift else "The link"))
    elif is_link_needed(strand):
        steps.append(make_step(strand, "mail", "missing", "No email with a link was sent yet", None))
    return steps


def list_claim_steps(strand: Strand) -> list[AccessStep]:
    """Whether the mailed link was used, by whom and when; nothing where no link was needed."""
    seat = strand.seat
    if seat is None:
        return []
    ids = {"seat": seat.public_id, "version": str(seat.claim_version)}
    if seat.claimed_by_id is not None:
        holder = mask_email(strand.claimer.email) if strand.claimer is not None else "an account"
        ids |= {"user": str(seat.claimed_by_id), "email": strand.claimer.email if strand.claimer is not None else ""}
        state: StepState = "broken" if strand.is_elsewhere and strand.role == "holder" else "ok"
        used = "The link was used: the seat" if strand.seat_mails else "The seat"
        sentence = f"{used} went into the account of {holder}"
        return [make_step(strand, "claim", state, sentence, seat.claimed_at, **ids)]
    ends_at = strand.link_ends_at
    if seat.status != "active" or ends_at is None:
        return []
    if ends_at <= strand.moment:
        sentence, state, at = "The link ended before it was used", "broken", ends_at
    else:
        sentence, state, at = f"The link wasn’t used yet; it works until {date_long(ends_at)}", "missing", None
    return [make_step(strand, "claim", state, sentence, at, **ids)]


def is_link_needed(strand: Strand) -> bool:
    """Whether somebody is invited to the seat and nobody has taken it."""
    seat = strand.seat
    return seat is not None and seat.claimed_by_id is None and seat.invited_email is not None


def is_scheduled(strand: Strand) -> bool:
    """Whether the link's mail waits for the day the giver chose."""
    mail = strand.link_mail
    return mail is not None and mail.attempt_count == 0 and mail.sent_at is None and mail.send_after > strand.moment


def _mail_step(strand: Strand, mail: Message, *, name: str) -> AccessStep:
    to = mask_email(mail.to_address)
    ids = {"message": str(mail.id), "key": mail.key, "message_id": mail.message_id, "to": mail.to_address}
    if mail.sent_at is not None:
        return make_step(strand, "mail", "ok", f"{name} was sent to {to}", mail.sent_at, **ids)
    if mail.failed_at is not None:
        ids["error"] = mail.error or ""
        sentence = f"{name} couldn’t be delivered to {to}{_explain(mail)}"
        return make_step(strand, "mail", "broken", sentence, mail.failed_at, **ids)
    if mail.send_after == HELD:
        return make_step(
            strand, "mail", "waiting", f"{name} to {to} is held back while the seat is closed", None, **ids
        )
    ids["send_after"] = mail.send_after.isoformat()
    if mail.attempt_count > 0 and mail.error is not None:
        ids["error"] = mail.error
        sentence = f"{name} couldn’t be delivered to {to} yet; we try again {datetime_short(mail.send_after)}"
    elif mail.send_after > strand.moment:
        sentence = f"{name} goes to {to} on {date_long(mail.send_after)}"
    else:
        sentence = f"{name} is about to go to {to}"
    return make_step(strand, "mail", "waiting", sentence, None, **ids)


def _explain(mail: Message) -> str:
    """What an error means to people; the error itself holds no address (app/mail/delivery.py)."""
    return ": the mailbox refused it" if (mail.error or "").startswith(REFUSED_ADDRESS) else ""
