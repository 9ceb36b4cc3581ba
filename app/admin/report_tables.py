"""The reports as tables: a name, columns with their kind, rows and a chart. The page and the CSV show the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from babel import Locale

from app.admin.charts import BarChart, draw_bars
from app.admin.figures import draw_sales
from app.admin.periods import write_bucket, write_day
from app.config import current_settings
from app.errors import NotFound
from app.formatting import money, money_short
from app.reports.breakdowns import Line, list_campaigns, list_codes, list_countries, list_products
from app.reports.cohorts import Cohort, list_cohorts
from app.reports.post_sales import PLACES, PostSales, list_post_sales, list_posts_without_sale
from app.reports.sales import Sales, Sums

Value = str | int
MOST_METERS = 8
NO_POST = "No post"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """kind: "text", "count" or "money" (minor units of the report's currency)."""

    label: str
    kind: str = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A report. total: the last row, () without one; shares: (name, amount) of the longest bars; note: how to read."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    total: Sequence[Value] = ()
    chart: BarChart | None = None
    chart_heads: Sequence[str] = ()
    shares: Sequence[tuple[str, int]] = ()
    note: str = ""
    more: "Table | None" = field(default=None)


MONEY_COLUMNS = tuple(Column(label=label, kind="money") for label in ("Sales", "Refunded", "Disputed", "Net"))
ORDERS = Column(label="Orders", kind="count")


def make_table(name: str, sales: Sales, currency: str) -> Table:
    """The report of that name. Raises NotFound."""
    if name not in REPORTS:
        raise NotFound
    return REPORTS[name][1](sales, currency)


def _make_sales(sales: Sales, currency: str) -> Table:
    period = sales.period
    sums = sales.list_buckets(currency)
    rows = [
        (write_bucket(bucket, period), each.orders, *_list_money(each))
        for bucket, each in zip(period.buckets, sums, strict=True)
    ]
    total = sales.total(currency)
    every = "month" if period.is_monthly else "day"
    return Table(
        name="sales",
        title=f"Sales by {every}",
        columns=(Column(label=every.capitalize()), Column(label="Paid orders", kind="count"), *MONEY_COLUMNS),
        rows=rows,
        total=("All", total.orders, *_list_money(total)),
        chart=draw_sales(sales, currency),
        chart_heads=(every.capitalize(), "Sales", "Before"),
    )


def _make_courses(sales: Sales, currency: str) -> Table:
    return _make_breakdown(
        "courses", "Sales by course", list_products(sales.period, currency), rest="Removed course",
        extra=("Seats", "count"), note="A bundle is a line of its own: it is sold as one.",
    )  # fmt: skip


def _make_codes(sales: Sales, currency: str) -> Table:
    return _make_breakdown(
        "codes", "Sales by promotion code", list_codes(sales.period, currency), rest="No code",
        extra=("Taken off", "money"), note="Sales are after the code. Orders that a code made free are not in them.",
    )  # fmt: skip


def _make_campaigns(sales: Sales, currency: str) -> Table:
    return _make_breakdown(
        "campaigns", "Sales by campaign", list_campaigns(sales.period, currency), rest="No campaign",
        note="From utm_source, utm_medium and utm_campaign of the link that led here, where a link brought them.",
    )  # fmt: skip


def _make_breakdown(
    name: str, title: str, lines: Sequence[Line], *, rest: str, extra: tuple[str, str] | None = None, note: str = ""
) -> Table:
    total = sum((line.sums for line in lines), Sums())
    middle = (Column(label=extra[0], kind=extra[1]),) if extra is not None else ()
    all_extra = (sum(line.extra[0] for line in lines),) if extra is not None else ()
    return Table(
        name=name,
        title=title,
        columns=(Column(label=title.rpartition(" ")[2].capitalize()), ORDERS, *middle, *MONEY_COLUMNS),
        rows=[(line.name or rest, line.sums.orders, *line.extra, *_list_money(line.sums)) for line in lines],
        total=("All", total.orders, *all_extra, *_list_money(total)),
        shares=[(line.name or rest, line.sums.net) for line in lines[:MOST_METERS]],
        note=note,
    )


def _make_countries(sales: Sales, currency: str) -> Table:
    lines = list_countries(sales.period, currency)
    names = _list_countries()
    labels = ("Sales", "Tax in sales", "Refunded", "Tax in refunds", "Tax left", "Disputed", "Net")

    def shape(name: str, sums: Sums, paid: int, returned: int) -> tuple[Value, ...]:
        tax = (paid, sums.refunded, returned, paid - returned)
        return name, sums.orders, sums.sales, *tax, sums.disputed, sums.net

    rows = [shape(names.get(line.name, line.name) or "Not known", line.sums, *line.extra) for line in lines]
    total = sum((line.sums for line in lines), Sums())
    paid, returned = (sum(line.extra[place] for line in lines) for place in (0, 1))
    return Table(
        name="countries",
        title="Tax by country",
        columns=(Column(label="Country"), ORDERS, *(Column(label=label, kind="money") for label in labels)),
        rows=rows,
        total=shape("All", total, paid, returned),
        shares=[(str(row[0]), line.extra[0] - line.extra[1]) for row, line in zip(rows, lines, strict=True)][
            :MOST_METERS
        ],
        note="By the address the buyer gave to Stripe. A refund carries its share of the order’s tax. "
        "Check with Stripe’s tax report before you file.",
    )


def _make_posts(sales: Sales, currency: str) -> Table:
    posts = list_post_sales(sales.period, currency)
    # First and assisted tell the same money again: only the last posts add up to the period's net.
    total: tuple[Value, ...] = (
        "All", sum(post.reads for post in posts), sum(post.last_orders for post in posts),
        sum(post.last_net for post in posts), "", "", "", "",
    )  # fmt: skip
    return Table(
        name="posts",
        title="Which post sells",
        columns=(
            Column(label="Post"),
            Column(label="Reads", kind="count"),
            *(
                Column(label=f"{role}: {what}", kind=kind)
                for role in ("Last", "First", "Assisted")
                for what, kind in (("orders", "count"), ("net", "money"))
            ),
        ),
        rows=[
            (
                post.title or NO_POST, post.reads, post.last_orders, post.last_net, post.first_orders, post.first_net,
                post.assisted_orders, post.assisted_net,
            )
            for post in posts
        ],
        total=total,
        shares=[(post.title, post.last_net) for post in posts if post.slug and post.last_net > 0][:MOST_METERS],
        note="Last is the post right before Enroll, First the one the way began with, Assisted one read on the way. "
        "Amounts are net of refunds. Reads are how often a post was opened, without robots as far as can be told. "
        "Readers are not followed: no cookie is set for this.",
        more=_make_places(posts),
    )  # fmt: skip


def _make_places(posts: Sequence[PostSales]) -> Table:
    """Net of the last posts by the card or link that was pressed, and posts that nobody bought from."""
    words = {"side": "Beside the text", "end": "At the end", "text": "In the text", "": "Not known"}
    return Table(
        name="places",
        title="By the place that was pressed",
        columns=(Column(label="Post"), *(Column(label=words[place], kind="money") for place in PLACES)),
        rows=[(post.title, *(post.by_place.get(place, 0) for place in PLACES)) for post in posts if post.by_place],
        total=("All", *(sum(post.by_place.get(place, 0) for post in posts) for place in PLACES)),
        more=Table(
            name="idle",
            title="Read, but without a sale",
            columns=(Column(label="Post"), Column(label="Reads", kind="count")),
            rows=[(post.title, post.reads) for post in list_posts_without_sale(posts)],
        ),
    )


def _make_cohorts(sales: Sales, currency: str) -> Table:
    cohorts = list_cohorts(sales.period, currency)
    months = max((len(cohort.cells) for cohort in cohorts), default=0)
    later = [Column(label="First month" if place == 0 else _tell_later(place), kind="money") for place in range(months)]
    names = [write_day(cohort.month, "MMM y") for cohort in cohorts]
    return Table(
        name="cohorts",
        title="Who comes back",
        columns=(
            Column(label="First purchase"), Column(label="Buyers", kind="count"),
            Column(label="Came back", kind="count"), Column(label="Net", kind="money"), *later,
        ),
        rows=[
            (name, cohort.buyers, cohort.repeat_buyers, cohort.net,
             *(cohort.cells[place].net if place < len(cohort.cells) else "" for place in range(months)))
            for name, cohort in zip(names, cohorts, strict=True)
        ],
        chart=draw_bars(
            names, [cohort.net for cohort in cohorts], [], currency=currency, before_label="",
            show=lambda amount: money(amount, currency), show_short=lambda amount: money_short(amount, currency),
        ) if cohorts else None,
        chart_heads=("First purchase", "Net"),
        note="Buyers by the month of their first purchase, and the net of what they bought in the months after it, "
        "as it is now: a later refund lowers the month of its purchase.",
        more=_make_returning(cohorts, names, months),
    )  # fmt: skip


def _make_returning(cohorts: Sequence[Cohort], names: Sequence[str], months: int) -> Table | None:
    if months <= 1:
        return None
    return Table(
        name="returning",
        title="How many bought in each month",
        columns=(
            Column(label="First purchase"), Column(label="Buyers", kind="count"),
            *(Column(label=_tell_later(place), kind="count") for place in range(1, months)),
        ),
        rows=[
            (name, cohort.buyers,
             *(cohort.cells[place].buyers if place < len(cohort.cells) else "" for place in range(1, months)))
            for name, cohort in zip(names, cohorts, strict=True)
        ],
    )  # fmt: skip


def _tell_later(months: int) -> str:
    return f"{months} month{'' if months == 1 else 's'} later"


def _list_money(sums: Sums) -> tuple[int, int, int, int]:
    return sums.sales, sums.refunded, sums.disputed, sums.net


def _list_countries() -> dict[str, str]:
    settings = current_settings()
    return dict(Locale.parse(settings.site_locale).territories)


# By name: the words of its tab, and what makes it.
REPORTS: dict[str, tuple[str, Callable[[Sales, str], Table]]] = {
    "sales": ("Sales", _make_sales),
    "courses": ("Courses", _make_courses),
    "posts": ("Posts", _make_posts),
    "campaigns": ("Campaigns", _make_campaigns),
    "codes": ("Codes", _make_codes),
    "countries": ("Tax", _make_countries),
    "cohorts": ("Coming back", _make_cohorts),
}
