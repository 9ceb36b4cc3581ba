"""Courses given without payment: who has them and why, a new one, closing and opening again."""

from datetime import UTC, date, datetime, time

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import TOAST, action, current_staff, page, say
from app.admin.fields import make_choices, shop_zone
from app.admin.listing import ListSpec, read_list_state
from app.admin.orders.forms import FreeSeatForm
from app.enrollment.manual_grants import close_free_seat, give_course, list_free_seats, reopen_free_seat
from app.errors import AppError, NotFound
from app.reports.order_lists import list_order_choices

# Beyond it the end of the day cannot be written down.
LAST_DAY = date(9998, 12, 31)
SPEC = ListSpec(search_label="Name or email")


@page("/orders/free-seats", needs=p.ORDERS_READ)
def free_seats() -> str:
    state = read_list_state(SPEC)
    return render_template(
        "admin/orders/free_seats.html", state=state, page=list_free_seats(text=state.q, number=state.page)
    )


@page("/orders/free-seats/new", needs=p.ORDERS_WRITE)
def new_free_seat() -> ResponseReturnValue:
    form = _make_form()
    form.email.data = request.args.get("email", "")[:320]
    form.course.data = request.args.get("course", "")
    return _render(form)


@action("/orders/free-seats/new", needs=p.ORDERS_WRITE)
def create_free_seat() -> ResponseReturnValue:
    form = _make_form()
    if not form.validate_on_submit():
        return _render(form), 422
    try:
        give_course(
            email=form.email.data or "",
            name=form.name.data or "",
            course_public_id=form.course.data,
            reason=form.reason.data or "",
            expires_at=_end_of(form.expires_on.data),
            given_by_id=current_staff().id,
        )
    except NotFound:
        raise
    except AppError as error:
        getattr(form, error.field or "email").errors = [error.sentence]
        return _render(form), 422
    say(f"The course is open for {form.email.data}. A mail tells them.")
    return redirect(url_for("admin.free_seats"), 303)


@action("/orders/free-seats/<user>/<course>/close", needs=p.ORDERS_WRITE)
def close_seat(user: str, course: str) -> ResponseReturnValue:
    is_new = close_free_seat(user_public_id=user, course_public_id=course, reason="Closed in the back-office")
    say("Closed. Open it again whenever you like." if is_new else "It was closed already.", TOAST)
    return redirect(url_for("admin.free_seats"), 303)


@action("/orders/free-seats/<user>/<course>/reopen", needs=p.ORDERS_WRITE)
def reopen_seat(user: str, course: str) -> ResponseReturnValue:
    try:
        is_new = reopen_free_seat(user_public_id=user, course_public_id=course, reason="Opened in the back-office")
        say("Open again." if is_new else "It was open already.", TOAST)
    except NotFound:
        raise
    except AppError as error:
        say(error.sentence, "error")
    return redirect(url_for("admin.free_seats"), 303)


def _make_form() -> FreeSeatForm:
    form = FreeSeatForm()
    form.course.choices = make_choices([("", "Choose a course"), *list_order_choices(code="").courses])
    return form


def _render(form: FreeSeatForm) -> str:
    return render_template("admin/orders/free_seat.html", form=form, has_errors=bool(form.errors))


def _end_of(day: date | None) -> datetime | None:
    """The last second of the day in the shop's time zone, as UTC."""
    if day is None:
        return None
    return datetime.combine(min(day, LAST_DAY), time(23, 59, 59), tzinfo=shop_zone()).astimezone(UTC)
