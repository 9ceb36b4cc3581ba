"""The one blueprint of the HTML pages; the view modules hang their routes on it."""

from flask import Blueprint

blueprint = Blueprint("site", __name__, template_folder="templates")
