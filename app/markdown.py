"""Markdown to safe HTML, once, when a text is saved: headings with ids, contents, callouts, reading time."""

import re
from dataclasses import dataclass
from html import escape, unescape

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.anchors import anchors_plugin
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

# Silent reading of English non-fiction by adults: Brysbaert, "How many words do we read per minute?", 2019.
WORDS_PER_MINUTE = 238
LONGEST_TEXT = 200_000
# Nesting beyond this is an attack, not a text (attack A63).
DEEPEST_NESTING = 20

ALLOWED_TAGS = {
    "a", "abbr", "aside", "blockquote", "br", "code", "del", "div", "em", "figcaption", "figure", "h2", "h3", "h4",
    "h5", "h6", "hr", "img", "input", "kbd", "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody",
    "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {
    "a": {"href", "title", "class", "aria-label"},
    "aside": {"class"},
    "code": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "h2": {"id"}, "h3": {"id"}, "h4": {"id"},
    "img": {"src", "alt", "title", "width", "height", "loading"},
    "input": {"type", "checked", "disabled", "class"},
    "li": {"class"}, "ol": {"start"}, "p": {"class"}, "ul": {"class"},
    "td": {"class"}, "th": {"class", "scope"},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """An entry of the table of contents; level is 2 or 3."""

    level: int
    id: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedText:
    """Safe HTML and what was learnt about the text on the way."""

    html: str
    headings: tuple[Heading, ...]
    word_count: int

    @property
    def reading_minutes(self) -> int:
        return max(1, round(self.word_count / WORDS_PER_MINUTE))


def slugify_heading(text: str) -> str:
    """The id of a heading: its words in lower case, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"


def render_markdown(text: str) -> RenderedText:
    """Render untrusted Markdown. Raw HTML in it is shown as text; scripts, styles and foreign attributes never pass."""
    parser = _make_parser()
    tokens = parser.parse(text[:LONGEST_TEXT])
    headings = _collect_headings(tokens)
    html = parser.renderer.render(tokens, parser.options, {})
    html = html.replace("<table>", '<div class="table-scroll" tabindex="0" role="region" aria-label="Table"><table>')
    html = html.replace("</table>", "</table></div>").replace("<th>", '<th scope="col">')
    safe = nh3.clean(
        html,
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener",
    )
    words = re.findall(r"\w[\w’'-]*", unescape(re.sub(r"<[^>]+>", " ", safe)))
    return RenderedText(html=safe, headings=tuple(headings), word_count=len(words))


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST_NESTING, "typographer": True})
    parser.enable(["table", "strikethrough", "smartquotes", "replacements"])
    parser.use(anchors_plugin, min_level=1, max_level=4, slug_func=slugify_heading, permalink=False)
    parser.use(container_plugin, name="tip", render=_render_tip)
    parser.use(tasklists_plugin)
    return parser


def _collect_headings(tokens: list[Token]) -> list[Heading]:
    headings = []
    for index, token in enumerate(tokens):
        if token.type == "heading_close" and token.tag == "h1":
            token.tag = "h2"
        if token.type != "heading_open":
            continue
        # The page's own title is its h1.
        if token.tag == "h1":
            token.tag = "h2"
        if token.tag in {"h2", "h3"}:
            text = "".join(child.content for child in tokens[index + 1].children or [])
            headings.append(Heading(level=int(token.tag[1]), id=str(token.attrGet("id")), text=text))
    return headings


def _render_tip(_renderer: RendererHTML, tokens: list[Token], index: int, _options: object, _env: object) -> str:
    if tokens[index].nesting != 1:
        return "</aside>\n"
    title = tokens[index].info.strip().removeprefix("tip").strip() or "Practical tip"
    return f'<aside class="tip"><p class="tip-title">{escape(title)}</p>\n'
