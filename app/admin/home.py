"""/admin: what needs attention, and the latest orders."""

from flask import render_template

from app.admin.blueprint import ANY, page
from app.reports.attention import list_attention, list_latest_orders


@page("/", needs=ANY)
def home() -> str:
    return render_template("admin/home.html", attention=list_attention(), orders=list_latest_orders())
