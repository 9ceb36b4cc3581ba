"""How long the back-office's lists take with 100,000 orders on PostgreSQL, whole page as the owner gets it.

Run as `python -m tests.benchmarks.admin_lists`. Fills an empty database, asks each address in process, and prints the
median and the 95th percentile; exit code 1 when a list's median is over 200 ms.
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

os.environ["TEST_DATABASE"] = "postgresql"

from flask_migrate import upgrade

from app import create_app
from app.config import load_settings
from tests.admin.big_tables import fill_courses, fill_events, fill_mirrors, fill_orders, fill_people, fill_posts
from tests.admin.staff import Staff
from tests.databases import make_database_url

ORDERS = int(os.environ.get("ORDERS", "100000"))
ASKS = 15
LIMIT_MS = 200
PATHS = {
    "orders": "/admin/orders",
    "orders, paid": "/admin/orders?view=paid",
    "orders, needs attention": "/admin/orders?view=attention",
    "orders by total": "/admin/orders?sort=-total",
    "orders of a course": "/admin/orders?course={course}",
    "orders with a code": "/admin/orders?code=RARECODE",
    "orders by number": "/admin/orders?q=NSL-100500",
    "orders by address": "/admin/orders?q=buyer4711",
    "orders by name": "/admin/orders?q=last4711",
    "orders by Stripe's id": "/admin/orders?q=pi_4711",
    "search by charge": "/admin/search?q=ch_4711",
    "search by name": "/admin/search?q=last4711",
    "one order": "/admin/orders/ord_4711",
    "withdrawals": "/admin/orders/withdrawals",
    "given without payment": "/admin/orders/free-seats",
    "learners": "/admin/people",
    "learners, page by page": "/admin/people?sort=name&after=usr_4712",
    "learners with purchases": "/admin/people?view=bought",
    "learners with free seats": "/admin/people?view=given",
    "learners, no account yet": "/admin/people?view=guests",
    "learners who bought since": "/admin/people?since=2020-01-01",
    "learners of a course": "/admin/people?course={course}",
    "learners by name": "/admin/people?q=last4712",
    "one learner": "/admin/people/usr_4712",
    "newsletter": "/admin/newsletter",
    "newsletter, page by page": "/admin/newsletter?sort=email&after=sub_4712",
    "newsletter by address": "/admin/newsletter?q=reader4712",
    "events": "/admin/stripe",
    "events, failed": "/admin/stripe?view=failed",
    "events of a rare type": "/admin/stripe?type=charge.dispute.created",
    "events of a day": "/admin/stripe?day={day}",
    "events, a page in the middle": "/admin/stripe?after=evt_50000",
    "events by order number": "/admin/stripe?q=NSL-104711",
    "one event": "/admin/stripe/events/evt_4713",
    "jobs": "/admin/jobs",
}
# Not lists: these add up a span's money, so what they cost grows with the span. Printed, not judged.
REPORT_PATHS = {
    "home": "/admin",
    "home, 12 months": "/admin?period=12m",
    "which post sells": "/admin/reports/posts?period=90d",
    "tax by country": "/admin/reports/countries?period=90d",
}
# Asked once the shop has as many courses: its orders' pages offer every course as a filter.
COURSE_PATHS = {
    "courses": "/admin/courses",
    "courses, published": "/admin/courses?view=published",
    "courses without a price": "/admin/courses?view=no-price",
    "courses by title": "/admin/courses?sort=title",
    "courses, searched": "/admin/courses?q=course+4711",
    "bundles": "/admin/bundles",
    "bundles, archived": "/admin/bundles?view=archived",
    "products at Stripe": "/admin/stripe/products",
    "products, not in sync": "/admin/stripe/products?view=attention",
}

# Asked before the courses are made, for the same reason.
POST_PATHS = {
    "posts": "/admin/posts",
    "posts, published": "/admin/posts?view=published",
    "posts to check": "/admin/posts?view=check",
    "posts in the trash": "/admin/posts?view=trash",
    "posts by title": "/admin/posts?sort=title",
    "posts, searched": "/admin/posts?q=post+4711",
    "one post": "/admin/posts/pst_4711",
}


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="bench_admin_"))
    os.environ["APP_ENV"] = "test"
    settings = replace(
        load_settings(folder), app_env="test", database_url=make_database_url(folder, "bench"),
        public_url="http://localhost",
    )  # fmt: skip
    app = create_app(settings)
    with app.app_context():
        upgrade()
        course = fill_orders(ORDERS)
        fill_people(ORDERS, course=course)
        fill_events(ORDERS)
        owner = Staff(app, "owner")
    print(f"{ORDERS:,} orders on PostgreSQL; milliseconds a page\n{'':28}{'median':>8}{'p95':>8}")  # noqa: T201
    day = (datetime.now(UTC) - timedelta(days=60)).date()
    slow = print_times(owner, {name: path.format(course=course, day=day) for name, path in PATHS.items()})
    print_times(owner, REPORT_PATHS)
    with app.app_context():
        fill_posts(ORDERS)
    slow += print_times(owner, POST_PATHS)
    with app.app_context():
        fill_courses(ORDERS)
        fill_mirrors(ORDERS)
    slow += print_times(owner, COURSE_PATHS)
    return 1 if slow else 0


def print_times(owner: Staff, paths: dict[str, str]) -> int:
    """Print each page's times; gives how many are too slow."""
    slow = 0
    for name, path in paths.items():
        took = [measure(owner, path) for _ in range(ASKS + 2)][2:]
        slow += median(took) > LIMIT_MS
        print(f"{name:28}{median(took):8.0f}{quantiles(took, n=20)[-1]:8.0f}")  # noqa: T201
    return slow


def measure(owner: Staff, path: str) -> float:
    """Milliseconds from the request to the last byte."""
    began = time.perf_counter()
    answer = owner.get(path)
    assert answer.status_code in {200, 303}, (path, answer.status_code)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
