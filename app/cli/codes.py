"""flask codes create | list | show | disable | enable."""

import json
from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

import click
from flask.cli import AppGroup

from app.catalog import services
from app.catalog.models import PromotionCode
from app.catalog.offers import list_product_ids_by_course_slug
from app.catalog.promotion_codes import CodeTerms, CodeUsage, get_code_usage, list_codes
from app.cli.files import fail_in_words
from app.cli.posts import site_zone
from app.errors import InvalidInput
from app.money import MoneyError, format_money, parse_price

STATES = ("active", "disabled", "scheduled", "ended", "used_up")

codes = AppGroup("codes", help="Promotion codes.")


@codes.command("create")
@click.argument("code", required=False)
@click.option("--percent", type=int, help="Percent taken off, 1 to 100. At 100 nobody needs a card.")
@click.option("--amount", help='Amount taken off an order, such as "10.00 USD".')
@click.option("--course", "slugs", multiple=True, help="Limit it to this course; repeat for more.")
@click.option("--max-uses", type=int, help="How often it can be used; in a batch once each, if not said.")
@click.option("--per-customer", type=int, help="How often one customer can use it.")
@click.option("--min-quantity", type=int, default=1, show_default=True, help="Seats an order must have.")
@click.option("--starts", help="Day or moment it begins, such as 2026-11-27 or 2026-11-27T18:00 (shop’s time).")
@click.option("--ends", help="Last day, that day included, or the moment it ends.")
@click.option("--count", type=int, help="Make so many codes that nobody can guess; needs --prefix.")
@click.option("--prefix", help="What the codes of a batch begin with.")
@click.option("--batch", help="Name to find the codes by; the prefix, if not said.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def create(
    *,
    code: str | None,
    percent: int | None,
    amount: str | None,
    slugs: tuple[str, ...],
    max_uses: int | None,
    per_customer: int | None,
    min_quantity: int,
    starts: str | None,
    ends: str | None,
    count: int | None,
    prefix: str | None,
    batch: str | None,
    as_json: bool,
) -> None:
    """Make one code, or a batch of codes that nobody can guess.

    \b
    Example:
      flask codes create LAUNCH20 --percent 20 --ends 2026-11-30
      flask codes create WELCOME --amount "10.00 USD" --per-customer 1
      flask codes create --count 50 --prefix VIP --percent 100 --course my-course
    """
    if (code is None) == (count is None) or (count is None) != (prefix is None):
        raise InvalidInput("Name one code, or say --count and --prefix.")
    if count is not None and max_uses is None:
        max_uses = 1
    terms = CodeTerms(
        percent_off=percent,
        max_redemptions=max_uses,
        per_customer_limit=per_customer,
        minimum_quantity=min_quantity,
        starts_at=_read_start(starts),
        ends_at=_read_end(ends),
        product_ids=list(list_product_ids_by_course_slug(slugs).values()),
    )
    if amount is not None:
        terms["amount_off"], terms["currency"] = _read_amount(amount)
    if batch is not None:
        terms["batch"] = batch
    made = [services.create_code(code, **terms)] if code is not None else []
    if count is not None and prefix is not None:
        made = services.create_batch(count, prefix, **terms)
    if as_json:
        click.echo(json.dumps({"codes": [row.code for row in made], "created": len(made)}))
        return
    for row in made:
        click.echo(row.code)
    click.echo(f"Done: {_count(len(made))} made, {describe_discount(made[0])}.", err=True)


@codes.command("list")
@click.option("--batch", help="Only the codes of this batch.")
@click.option("--state", type=click.Choice(STATES), help="Only codes in this state.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def list_all(batch: str | None, state: str | None, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """List codes in the order they were made, with their use.

    \b
    Example:
      flask codes list
      flask codes list --batch VIP --state active --json
    """
    found = [usage for usage in _read_all(batch) if state in (None, usage.state)]
    if as_json:
        counts = Counter(usage.state for usage in found)
        click.echo(json.dumps({"codes": [describe(usage) for usage in found], "counts": counts}))
        return
    for usage in found:
        _tell(usage)
    click.echo(f"{_count(len(found))}.")


@codes.command("show")
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def show(code: str, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Show one code with all its terms.

    \b
    Example:
      flask codes show LAUNCH20
    """
    facts = describe(get_code_usage(code))
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name.replace('_', ' '):>18}  {'-' if text in (None, '') else text}")


@codes.command("disable")
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def disable(code: str, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """End a code now. Checkouts that have it already keep it.

    \b
    Example:
      flask codes disable LAUNCH20
    """
    services.disable_code(code)
    _tell_state(code, as_json=as_json)


@codes.command("enable")
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@fail_in_words
def enable(code: str, as_json: bool) -> None:  # noqa: FBT001 - click's form
    """Let a disabled code count again, within its dates and limits.

    \b
    Example:
      flask codes enable LAUNCH20
    """
    services.enable_code(code)
    _tell_state(code, as_json=as_json)


def describe(usage: CodeUsage) -> dict[str, Any]:
    """A code as JSON: amounts in minor units, times in UTC; courses and product_ids are empty when all count."""
    code = usage.promotion_code
    return {
        "code": code.code,
        "state": usage.state,
        "percent_off": code.percent_off,
        "amount_off": code.amount_off,
        "currency": code.currency,
        "redeemed_count": code.redeemed_count,
        "max_redemptions": code.max_redemptions,
        "per_customer_limit": code.per_customer_limit,
        "minimum_quantity": code.minimum_quantity,
        "starts_at": code.starts_at.isoformat() if code.starts_at else None,
        "ends_at": code.ends_at.isoformat() if code.ends_at else None,
        "courses": list(usage.course_slugs),
        "product_ids": list(usage.product_ids),
        "batch": code.batch,
        "created_at": code.created_at.isoformat(),
    }


def describe_discount(code: PromotionCode) -> str:
    """ "20 % off" or "$10.00 off"."""
    if code.amount_off is not None and code.currency is not None:
        return f"{format_money(code.amount_off, code.currency)} off"
    return f"{code.percent_off} % off"


def _tell(usage: CodeUsage) -> None:
    code = usage.promotion_code
    uses = f"{code.redeemed_count} of {code.max_redemptions}" if code.max_redemptions else str(code.redeemed_count)
    where = ", ".join(usage.course_slugs or usage.product_ids) or "all courses"
    click.echo(
        f"{code.code:<26}  {usage.state.replace('_', ' '):<9}  {describe_discount(code):>12}  {uses:>9} used  {where}"
    )


def _tell_state(code: str, *, as_json: bool) -> None:
    usage = get_code_usage(code)
    if as_json:
        click.echo(json.dumps({"code": usage.promotion_code.code, "state": usage.state}))
        return
    click.echo(f"{usage.promotion_code.code} is {usage.state.replace('_', ' ')}.")


def _read_all(batch: str | None) -> list[CodeUsage]:
    found = page = list_codes(batch=batch)
    while page:
        page = list_codes(batch=batch, after=page[-1].promotion_code.id)
        found = found + page
    return found


def _read_amount(text: str) -> tuple[int, str]:
    try:
        return parse_price(text)
    except MoneyError as error:
        raise InvalidInput(f"--amount: {error}") from error


def _read_start(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = _read_moment(text, "--starts")
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time.min, tzinfo=site_zone())


def _read_end(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = _read_moment(text, "--ends")
    if isinstance(moment, datetime):
        return moment
    try:
        return datetime.combine(moment + timedelta(days=1), time.min, tzinfo=site_zone())
    except OverflowError as error:
        raise InvalidInput("--ends: That day is too far away.") from error


def _read_moment(text: str, option: str) -> date | datetime:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{option}: Write 2026-11-27 or 2026-11-27T18:00.") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=site_zone())


def _count(number: int) -> str:
    return f"{number} code" if number == 1 else f"{number} codes"
