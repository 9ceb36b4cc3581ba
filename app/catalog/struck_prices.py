"""Struck prices: shown only where the history proves that they were charged, with the lowest price of the 30 days."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from app.catalog.models import Price
from app.catalog.offers import Offer
from app.catalog.price_history import begin_of, list_charged, list_periods
from app.db import db


def prove_struck_prices(offers: Sequence[Offer]) -> list[Offer]:
    """The offers in their order, without struck prices that were not charged. One query, none where none is struck."""
    claimed = [each.price_id for each in offers if each.price_id is not None and each.struck_amount is not None]
    if not claimed:
        return list(offers)
    proofs = _read_proofs(claimed)
    return [_prove(each, proofs.get(each.price_id or "", [])) for each in offers]


def _prove(offer: Offer, charged: list[int]) -> Offer:
    """charged: what was asked in the 30 days before the offer's price began, lowest first."""
    if offer.struck_amount is None or offer.state not in {"on_sale", "free"} or offer.struck_amount not in charged:
        return replace(offer, struck_amount=None)
    return replace(offer, lowest_amount=charged[0])


def _read_proofs(price_public_ids: Sequence[str]) -> dict[str, list[int]]:
    products = select(Price.product_id).where(Price.public_id.in_(price_public_ids))
    groups: defaultdict[tuple[int, str], list[Price]] = defaultdict(list)
    for price in db.session().scalars(
        select(Price).where(Price.product_id.in_(products), Price.type == "one_time").order_by(Price.id)
    ):
        groups[price.product_id, price.currency].append(price)
    proofs = {}
    for prices in groups.values():
        periods = list_periods(prices)
        for price in prices:
            began_at = begin_of(price)
            if price.public_id in price_public_ids and began_at is not None:
                proofs[price.public_id] = list_charged(periods, before=began_at)
    return proofs
