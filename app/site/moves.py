"""Taking a purchase over that staff moved to another address: the mailed link is the proof, GET asks and POST takes."""

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts.sessions import sign_in
from app.checkout.moves import confirm_move, get_move_offer
from app.extensions import limiter
from app.site.blueprint import blueprint
from app.site.origin import refuse_cross_site


@blueprint.get("/orders/move/<token>")
@limiter.limit("60/minute")
def move_offer(token: str) -> str:
    return render_template("move.html", offer=get_move_offer(token), token=token)


@blueprint.post("/orders/move/<token>", endpoint="take_order")
@limiter.limit("20/minute")
def take_order(token: str) -> ResponseReturnValue:
    refuse_cross_site()
    sign_in(confirm_move(token))
    flash("The purchase is yours now.", "success")
    return redirect(url_for("site.my_courses"), 303)
