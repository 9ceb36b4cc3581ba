"""The page of one learner, and the trace of what they may open."""

from flask import g, render_template

from app.accounts import permissions as p
from app.accounts.site_views import VIEW_MINUTES, may_see_as
from app.admin.blueprint import current_staff, page
from app.reports.people_pages import explain_person, get_person, get_person_page

STATE_WORDS = {
    "active": ("Active", "ok"),
    "unproved": ("Never signed in", "info"),
    "closed": ("Closed", "bad"),
    "guest": ("No account", "hollow"),
}
GRANT_WORDS = {
    "open": ("Open", "ok"),
    "paused": ("Paused", "warn"),
    "over": ("Over", "neutral"),
    "closed": ("Closed", "hollow"),
}
MAIL_WORDS = {"sent": ("Sent", "ok"), "failed": ("Failed", "bad"), "waiting": ("On its way", "warn")}
NEWSLETTER_WORDS = {"confirmed": "Subscribed", "pending": "Not confirmed yet", "unsubscribed": "Unsubscribed"}
MOVE_WORDS = {"waiting": "On its way", "moved": "Moved", "withdrawn": "Withdrawn", "undone": "Undone"}


@page("/people/<public_id>", needs=p.PEOPLE_READ)
def person(public_id: str) -> str:
    found = get_person_page(public_id)
    return render_template(
        "admin/people/person.html",
        person=found,
        may_see_as=may_see_as(g.staff_permissions, get_person(public_id))
        and found.state != "closed"
        and found.id != current_staff().id,
        view_minutes=VIEW_MINUTES,
        state_words=STATE_WORDS,
        grant_words=GRANT_WORDS,
        mail_words=MAIL_WORDS,
        newsletter_words=NEWSLETTER_WORDS,
        move_words=MOVE_WORDS,
        initials="".join(part[0] for part in (found.name or found.email).split()[:2]).upper(),
    )


@page("/people/<public_id>/access", needs=p.ORDERS_READ)
def person_access(public_id: str) -> str:
    return render_template("admin/people/access.html", person=get_person(public_id), traces=explain_person(public_id))
