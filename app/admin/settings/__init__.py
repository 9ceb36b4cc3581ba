"""/admin/settings: what a shop's people may change without a restart; the rest is the environment's and only shown."""

from app.admin.settings import logo, mail, sections

VIEWS = (logo, mail, sections)
