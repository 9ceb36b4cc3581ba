"""The shop's own looks: its accent color as a style sheet, and its logo."""

from flask import Response, url_for

from app.colors import contrast, mix
from app.config import Settings, current_settings
from app.errors import NotFound
from app.media.services import list_variants
from app.setting_rules import soften
from app.site.blueprint import blueprint
from app.site.static_files import FOREVER

INK, WHITE = "#0e1230", "#ffffff"
DARK_GROUND = "#181b22"
# On the dark ground the color is made lighter step by step until text in it reads as well as the design's own.
READABLE_IN_DARK = 7.0
STEP = 0.1
HOVER_SHARE = 0.2
SOFT_DARK_SHARE = 0.8


def brand_css_url(settings: Settings) -> str:
    """The address of the style sheet for the accent in force, another for each color; "" without one."""
    color = settings.accent_color
    return url_for("site.brand_css", color=color.removeprefix("#")) if color else ""


def logo_url(settings: Settings) -> str:
    """The address of the logo in its smallest size, "" for the drawn one."""
    variants = list_variants(settings.logo_path)
    return f"/media/{variants[0][0]}" if variants else ""


@blueprint.get("/brand/<color>.css")
def brand_css(color: str) -> Response:
    if f"#{color}" != current_settings().accent_color:
        raise NotFound
    response = Response(write_brand_css(f"#{color}"), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = FOREVER
    return response


def write_brand_css(accent: str) -> str:
    """The tokens of the design that follow from an accent color, in light and dark."""
    dark = accent
    while contrast(dark, DARK_GROUND) < READABLE_IN_DARK:
        dark = mix(dark, WHITE, STEP)
    on_accent = WHITE if contrast(accent, WHITE) >= contrast(accent, INK) else INK
    tokens = {
        "accent": (accent, dark),
        "accent-hover": (mix(accent, "#000000", HOVER_SHARE), mix(dark, WHITE, HOVER_SHARE)),
        "on-accent": (on_accent, INK),
        "accent-soft": (soften(accent), mix(accent, DARK_GROUND, SOFT_DARK_SHARE)),
    }
    lines = "".join(f"--{name}:light-dark({light},{night});" for name, (light, night) in tokens.items())
    return f":root{{{lines}}}"
