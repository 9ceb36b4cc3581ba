"""Markdown becomes safe HTML: headings with ids, contents, callouts, reading time, and nothing that runs."""

from html.parser import HTMLParser

import pytest

from app.markdown import ALLOWED_TAGS, LONGEST_TEXT, WORDS_PER_MINUTE, Heading, render_markdown, slugify_heading

PAYLOADS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.test/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img/src=`x`/onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    '<iframe src="javascript:alert(1)"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<object data="data:text/html,<script>alert(1)</script>"></object>',
    "<embed src=javascript:alert(1)>",
    '<form action="https://evil.test"><input name=password></form>',
    '<a href="javascript:alert(1)">x</a>',
    "<body onload=alert(1)>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    '<p style="position:fixed;inset:0">x</p>',
    "<base href=//evil.test/>",
    '<meta http-equiv=refresh content="0;url=//evil.test">',
    '<link rel=stylesheet href="//evil.test/x.css">',
    "<details open ontoggle=alert(1)>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--><img src=x onerror=alert(1)>-->",
    "<template><script>alert(1)</script></template>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "![x](javascript:alert(1))",
    '![x](x "onerror=alert(1)")',
    '![" onerror="alert(1)](x)',
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    '```"><script>alert(1)</script>\ncode\n```',
    "::: tip <img src=x onerror=alert(1)>\ntext\n:::",
    '# <img src=x onerror=alert(1)>" onclick="alert(1)',
    "| <script>alert(1)</script> |\n| --- |\n| <img src=x onerror=alert(1)> |",
    "- [ ] <script>alert(1)</script>",
]
BOMBS = [
    ">" * 20_000,
    "[" * 10_000,
    "[" * 10_000 + "]" * 10_000,
    "![" * 10_000,
    "*" * 10_000 + "a" + "*" * 10_000,
    "_a" * 10_000,
    "`" * 20_000,
    "- " * 10_000 + "x",
    "".join("  " * depth + "- x\n" for depth in range(400)),
    "::: tip\n" * 2_000,
    "<" * 20_000,
    "&" * 20_000,
    "|a" * 5_000 + "|\n" + "|-" * 5_000 + "|",
    "\\" * 20_000,
    "[a](" * 5_000,
    "a\n" * 20_000,
]


BLOCKS = {"aside", "blockquote", "div", "li", "ol", "table", "ul"}


class Inspector(HTMLParser):
    """Everything in a text that a browser would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.deepest = 0
        self._depth = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag in BLOCKS:
            self._depth += 1
            self.deepest = max(self.deepest, self._depth)

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS:
            self._depth -= 1


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("frame", ["{}", "Before {} after", "> {}", "1. {}"])
def test_nothing_that_runs_gets_through(payload: str, frame: str) -> None:
    found = Inspector(render_markdown(frame.format(payload)).html)

    assert found.tags <= ALLOWED_TAGS
    assert not [
        name for name, _ in found.attributes if name.startswith("on") or name in {"style", "srcset", "formaction"}
    ]
    for name, value in found.attributes:
        if name in {"href", "src"}:
            scheme, colon, _ = value.partition(":")
            assert not colon or "/" in scheme or scheme.lower() in {"http", "https", "mailto"}, value


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: f"{bomb[:12]!r} x {len(bomb)}")
def test_a_bomb_ends_as_a_bounded_page(bomb: str) -> None:
    rendered = render_markdown(bomb)

    # An escaped character takes up to six; the rest is markup around it.
    assert len(rendered.html) < 12 * len(bomb) + 1000
    assert Inspector(rendered.html).deepest < 100


def test_what_is_longer_than_the_longest_text_is_cut() -> None:
    rendered = render_markdown("a " * LONGEST_TEXT)

    assert rendered.word_count == LONGEST_TEXT // 2


def test_headings_have_ids_and_the_page_keeps_its_only_h1() -> None:
    rendered = render_markdown("# First part\n\ntext\n\n## Second & *third*\n\n### Deep\n\n#### Deeper\n\n## Deep")

    assert rendered.html.startswith('<h2 id="first-part">First part</h2>')
    assert "<h1" not in rendered.html
    assert rendered.headings == (
        Heading(level=2, id="first-part", text="First part"),
        Heading(level=2, id="second-third", text="Second & third"),
        Heading(level=3, id="deep", text="Deep"),
        Heading(level=2, id="deep-1", text="Deep"),
    )
    ids = [value for name, value in Inspector(rendered.html).attributes if name == "id"]
    assert ids == ["first-part", "second-third", "deep", "deeper", "deep-1"]


@pytest.mark.parametrize(
    ("text", "slug"),
    [("The AI Paradox", "the-ai-paradox"), ("  100 % sure?  ", "100-sure"), ("日本語", "section"), ("", "section")],
)
def test_the_id_of_a_heading_is_its_words(text: str, slug: str) -> None:
    assert slugify_heading(text) == slug


def test_a_tip_is_a_callout_with_its_own_title_or_ours() -> None:
    own = render_markdown("::: tip Before you <start>\nCount *twice*.\n:::").html
    ours = render_markdown("::: tip\nText.\n:::").html

    assert '<aside class="tip"><p class="tip-title">Before you &lt;start&gt;</p>' in own
    assert "<p>Count <em>twice</em>.</p>" in own
    assert '<p class="tip-title">Practical tip</p>' in ours


def test_tables_can_be_scrolled_by_keyboard_and_name_their_columns() -> None:
    html = render_markdown("| a | b |\n| --- | --- |\n| 1 | 2 |").html

    assert html.startswith('<div class="table-scroll" tabindex="0" role="region" aria-label="Table"><table>')
    assert html.count('<th scope="col">') == 2


def test_links_keep_their_address_and_open_without_their_opener() -> None:
    html = render_markdown('[site](https://example.org "Title") <hello@example.org> [here](/courses#x)').html

    assert '<a href="https://example.org" title="Title" rel="noopener">site</a>' in html
    assert 'href="mailto:hello@example.org"' in html
    assert 'href="/courses#x"' in html


@pytest.mark.parametrize(
    ("words", "minutes"),
    [(0, 1), (1, 1), (WORDS_PER_MINUTE, 1), (3 * WORDS_PER_MINUTE, 3), (round(2.6 * WORDS_PER_MINUTE), 3)],
)
def test_reading_time_is_counted_in_words_and_at_least_a_minute(words: int, minutes: int) -> None:
    rendered = render_markdown("word " * words)

    assert (rendered.word_count, rendered.reading_minutes) == (words, minutes)


def test_words_are_counted_as_people_read_them_not_as_markup() -> None:
    assert render_markdown("[don’t](https://a.example/very/long) **well-known** &amp; `x`").word_count == 3


@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_nothing_is_an_empty_text(text: str) -> None:
    rendered = render_markdown(text)

    assert (rendered.html.strip(), rendered.headings, rendered.word_count) == ("", (), 0)
