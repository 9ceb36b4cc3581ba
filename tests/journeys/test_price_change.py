"""An admin changes a price: every page and the API show it at once, and what was begun before keeps the old one."""

from pathlib import Path

import pytest

from tests.journeys.people import FormReader, Person, Truth
from tests.running import RunningShop, wait_until
from tests.shop import CONTENT

pytestmark = pytest.mark.journey

SLUG = "search-traffic-starter"
COURSE = f"/courses/{SLUG}"
POST = "/blog/your-best-page-isnt-your-home-page"


def read_api_price(person: Person) -> tuple[str, int]:
    price = person.get(f"/api/v1/courses/{SLUG}").json()["offer"]["price"]
    return price["id"], price["amount"]


def import_with_price(shop: RunningShop, folder: Path, price: str) -> str:
    text = (CONTENT / "courses" / f"{SLUG}.md").read_text(encoding="utf-8")
    assert text.count("prices: [29.00 USD]") == 1
    file = folder / f"{SLUG}.md"
    file.write_text(text.replace("prices: [29.00 USD]", f"prices: [{price}]"), encoding="utf-8")
    return shop.flask("courses", "import", str(file))


def test_new_price_shows_everywhere_at_once_and_the_open_session_keeps_the_old(
    person: Person, make_person, database: Truth, shop: RunningShop, tmp_path: Path
) -> None:
    visitor, late = make_person(), make_person()
    assert "Enroll — $29" in visitor.get(COURSE).text
    old_price_id, amount = read_api_price(visitor)
    assert amount == 2900
    stale = next(form.fields for form in FormReader(late.get(COURSE).text).forms if form.action == "/checkout")
    open_session = person.begin(COURSE)

    assert "1 changed" in import_with_price(shop, tmp_path, "39.00 USD")

    for page in (COURSE, POST, "/courses"):
        text = visitor.get(page).text
        assert ("$39" in text, "$29<" in text) == (True, False), page
    new_price_id, amount = read_api_price(visitor)
    assert (amount, new_price_id != old_price_id) == (3900, True)
    # A page that was open before the change offers a price that is no longer sold: said, not charged.
    refused = late.press_enroll(stale)
    assert (refused.status_code, "isn’t on sale" in refused.text) == (404, True)
    # The session that was open is paid at the price that was promised.
    person.pay(open_session)
    wait_until(lambda: database.order(open_session).state == "paid")
    assert database.order(open_session).total_amount == 2900
    assert shop.stripe(f"/v1/checkout/sessions/{open_session}")["amount_total"] == 2900
    assert wait_until(lambda: person.mails("Your receipt"))[0]["Subject"].count("$29.00") == 1
    # Whoever comes now pays the new one.
    new_session = visitor.begin(COURSE)
    assert shop.stripe(f"/v1/checkout/sessions/{new_session}")["amount_total"] == 3900
    assert database.order(new_session).total_amount == 3900
