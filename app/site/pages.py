"""The shop's standing pages (policies, contact) and what machines ask of every site."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

from flask import Response, url_for
from markupsafe import Markup

from app.config import current_settings
from app.errors import NotFound
from app.front_matter import read_front_matter
from app.markdown import render_markdown
from app.reports.sitemap import list_sitemap_entries
from app.site.blueprint import blueprint
from app.site.viewer import cacheable, canonical_url, render_page

FOLDER = Path(__file__).parent / "pages"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.md")))
SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
CLOSED_PATHS = ("/access", "/admin", "/account", "/checkout", "/seats", "/newsletter", "/withdraw", "/dev")
FOLDERS = {"course": "courses", "bundle": "bundles", "post": "blog"}


class StandingPage(NamedTuple):
    """A page's title and safe HTML."""

    title: str
    body_html: Markup


@lru_cache
def read_standing_page(name: str) -> StandingPage:
    """The page with that name, rendered at its first use. Raises NotFound."""
    if name not in NAMES:
        raise NotFound
    document = read_front_matter((FOLDER / f"{name}.md").read_text(encoding="utf-8"), f"{name}.md")
    body = Markup(render_markdown(document.body).html)  # noqa: S704 - sanitized there
    return StandingPage(title=str(document.head["title"]), body_html=body)


@blueprint.get("/pages/<slug>")
def page(slug: str) -> Response:
    standing = read_standing_page(slug)
    return render_page("page.html", facts=standing, values=lambda: _fill_in(standing))


def _fill_in(standing: StandingPage) -> dict[str, Any]:
    """The page with the shop's present terms in its text."""
    days = str(current_settings().refund_days)
    return {"title": standing.title, "body_html": standing.body_html.replace("{refund_days}", days)}


@blueprint.get("/sitemap.xml")
def sitemap() -> Response:
    root = ET.Element("urlset", xmlns=SITEMAP)
    fixed = [url_for("site.home"), url_for("site.courses"), url_for("site.blog")]
    fixed += [url_for("site.page", slug=name) for name in NAMES]
    for path in fixed:
        ET.SubElement(ET.SubElement(root, "url"), "loc").text = canonical_url(path)
    for entry in list_sitemap_entries():
        address = f"/{FOLDERS[entry.kind]}/{entry.slug}"
        url = ET.SubElement(root, "url")
        ET.SubElement(url, "loc").text = canonical_url(address)
        ET.SubElement(url, "lastmod").text = entry.changed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return cacheable(Response(body, content_type="application/xml; charset=utf-8"))


@blueprint.get("/robots.txt")
def robots() -> Response:
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in CLOSED_PATHS)]
    lines.append(f"Sitemap: {canonical_url(url_for('site.sitemap'))}")
    return cacheable(Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8"))
