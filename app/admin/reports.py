"""/admin/reports: the period's money by day, course, post, campaign, code, country and cohort; each also as CSV."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Response, render_template, request, url_for

from app.accounts import permissions as p
from app.admin.blueprint import page
from app.admin.figures import list_figures
from app.admin.periods import (
    Choice,
    list_currency_choices,
    list_period_choices,
    page_params,
    read_currency,
    read_period,
)
from app.admin.report_tables import REPORTS, Table, make_table
from app.catalog.offers import site_currency
from app.money import to_decimal
from app.reports.ledger_export import quote_formula
from app.reports.periods import Period
from app.reports.sales import DEFINITIONS, read_sales


@page("/reports", needs=p.REPORTS_READ)
def reports() -> str:
    return _render("sales")


@page("/reports/<name>", needs=p.REPORTS_READ)
def report(name: str) -> str:
    return _render(name)


@page("/reports/<name>.csv", needs=p.REPORTS_READ)
def report_export(name: str) -> Response:
    period, currency = _read_period(name), read_currency()
    table = make_table(name, read_sales(period), currency)
    file_name = f"{name}-{period.first_day}-{period.last_day}-{currency}.csv"
    return Response(
        _write_csv(table, currency),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )


def _render(name: str) -> str:
    period, currency = _read_period(name), read_currency()
    sales = read_sales(period)
    params = page_params(period)
    return render_template(
        "admin/reports.html",
        table=make_table(name, sales, currency),
        tabs=[
            Choice(label=label, url=_url(key, params), is_current=key == name) for key, (label, _) in REPORTS.items()
        ],
        period=period,
        periods=list_period_choices(period),
        currency=currency,
        site_currency=site_currency(),
        currencies=list_currency_choices(sales.currencies, period),
        figures=list_figures(sales, currency) if name == "sales" else [],
        definitions=DEFINITIONS,
        export_url=url_for("admin.report_export", name=name, **params),
    )


def _read_period(name: str) -> Period:
    """What the URL says; who comes back is a question about months, so its default is twelve of them."""
    is_chosen = {"period", "since", "until"} & request.args.keys()
    return read_period() if is_chosen or name != "cohorts" else read_period("12m")


def _url(name: str, params: dict[str, Any]) -> str:
    return url_for("admin.reports", **params) if name == "sales" else url_for("admin.report", name=name, **params)


def _write_csv(table: Table, currency: str) -> Iterator[str]:
    """The table's rows and its total, amounts in units of the currency; text is inert in a spreadsheet (attack A60)."""
    yield _write_row([*(column.label for column in table.columns), "Currency"])
    for row in [*table.rows, *([table.total] if table.total else [])]:
        cells = []
        for column, value in zip(table.columns, row, strict=True):
            if isinstance(value, int) and column.kind == "money":
                cells.append(f"{to_decimal(value, currency):f}")
            else:
                cells.append(str(value) if isinstance(value, int) else quote_formula(value))
        yield _write_row([*cells, currency.upper()])


def _write_row(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
