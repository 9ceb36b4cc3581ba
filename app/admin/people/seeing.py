"""See the site as a learner: begin and end. What it lets through is the guard's matter (app/accounts/seeing.py)."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.accounts.seeing import OWN_BLUEPRINTS, WAYS_OUT, begin_site_view, present_site_view_id
from app.accounts.site_views import CannotSeeAs, end_site_view
from app.admin.blueprint import ANY, action, blueprint, current_staff, say

OWN_BLUEPRINTS.add(blueprint.name)
WAYS_OUT.add("admin.end_seeing")


@action("/people/<public_id>/see-as", needs=p.PEOPLE_WRITE)
def see_as(public_id: str) -> ResponseReturnValue:
    try:
        begin_site_view(staff=current_staff(), learner_public_id=public_id, reason=request.form.get("reason", ""))
    except CannotSeeAs as error:
        say(error.sentence, "error")
        return redirect(url_for("admin.person", public_id=public_id), 303)
    return redirect(url_for("site.my_courses"), 303)


@action("/people/see-as/end", needs=ANY)
def end_seeing() -> ResponseReturnValue:
    view_id = present_site_view_id()
    if not view_id:
        say("You’re seeing the site as yourself already.", "success")
        return redirect(url_for("admin.home"), 303)
    learner = end_site_view(public_id=view_id)
    say("You’re yourself again.", "success")
    return redirect(url_for("admin.person", public_id=learner), 303)
