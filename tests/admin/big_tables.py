"""A shop with very many rows, made by the database itself: for query plans and for the benchmark. PostgreSQL only.

An area whose list shows another table adds its rows here.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from app.catalog.promotion_codes import create_code
from app.db import Base, db
from tests.conftest import KEPT_TABLES
from tests.factories import get_price, make_course

RARE = 100  # one order in so many has the rare course, code, post and state
ORDERS = """
INSERT INTO orders (id, public_id, number, buyer_key, choice_key, choice_digest, purpose, takes_seat, email,
    customer_name, livemode, currency, subtotal_amount, discount_amount, tax_amount, is_tax_included, total_amount,
    state, payment_method_label, stripe_payment_intent_id, stripe_customer_id, stripe_invoice_id, link_version,
    created_at, paid_at)
SELECT n, 'ord_' || n, CASE WHEN n % 20 = 0 THEN NULL ELSE 100000 + n END, 'browser:' || n, 'prd', '', 'self', true,
    'buyer' || n || '@example.org', 'First' || n % 977 || ' Last' || n % 7919, false,
    CASE WHEN n % :rare = 0 THEN 'eur' ELSE 'usd' END, 1000 + n % 9000, 0, 0, false,
    CASE WHEN n % :rare = 1 THEN 0 ELSE 1000 + n % 9000 END,
    CASE WHEN n % 20 = 0 THEN 'expired' WHEN n % :rare = 3 THEN 'refunded' WHEN n % :rare = 5 THEN 'disputed'
         ELSE 'paid' END,
    'Visa ending 4242', 'pi_' || n, 'cus_' || n / 2, 'in_' || n, 1,
    now() - n * interval '5 minutes', now() - n * interval '5 minutes'
FROM generate_series(1, :rows) AS n
"""
ITEMS = """
INSERT INTO order_items (id, order_id, product_id, price_id, title, currency, unit_amount, quantity, held_quantity,
    subtotal_amount, discount_amount, tax_amount, total_amount, courses, refund_days)
SELECT n, n, CASE WHEN n % :rare = 0 THEN :rare_product ELSE :product END, :price, 'A course', 'usd', 1000, 1, 1, 1000,
    0, 0, 1000, '[]', 14
FROM generate_series(1, :rows) AS n
"""
LEDGER = """
INSERT INTO ledger_entries (id, order_id, kind, stripe_object_id, related_stripe_object_id, amount, currency, status,
    occurred_at, recorded_at)
SELECT n, n, 'payment', 'ch_' || n, 'pi_' || n, 1000, 'usd', 'succeeded', now() - n * interval '5 minutes', now()
FROM generate_series(1, :rows) AS n
"""
ATTEMPTS = """
INSERT INTO checkout_attempts (id, order_id, number, idempotency_key, stripe_checkout_session_id, expires_at, created_at)
SELECT n, n, 1, 'key-' || n, 'cs_' || n, now(), now() FROM generate_series(1, :rows) AS n
"""
REDEMPTIONS = """
INSERT INTO promotion_redemptions (order_id, promotion_code_id, customer_key, amount, status, created_at)
SELECT n, :code, 'email:x', 100, 'redeemed', now() FROM generate_series(7, :rows, :rare) AS n
"""
FINDINGS = """
INSERT INTO findings (key, order_id, kind, detail, created_at)
SELECT 'f' || n, n, 'oversold', 'Look at it', now() FROM generate_series(1, 20) AS n
"""
WITHDRAWALS = """
INSERT INTO withdrawal_requests (public_id, order_id, is_proved, verdict, items, ends_at, refund_state, created_at)
SELECT 'wdr_' || n, n, true, CASE WHEN n % 10 = 0 THEN 'late' ELSE 'in_time' END, '[]', now(),
    CASE WHEN n % :rare = 0 THEN 'by_hand' ELSE 'asked' END, now() - n * interval '5 minutes'
FROM generate_series(1, :rows) AS n
"""
# The last ones hold few rows here: statistics of another test's many would stay in force.
TABLES = (
    "orders",
    "order_items",
    "ledger_entries",
    "checkout_attempts",
    "promotion_redemptions",
    "findings",
    "courses",
    "products",
    "product_courses",
    "prices",
    "promotion_codes",
    "grants",
    "withdrawal_requests",
)


COURSES = """
INSERT INTO courses (id, public_id, slug, title, promise, summary, description_markdown, description_html, outcomes,
    good_fit, not_fit, includes, faq, level, category_id, author_name, author_bio, status, is_featured, position,
    version, created_at, updated_at)
SELECT 1000 + n, 'crs_' || n, 'course-n' || n, 'Course ' || n, 'Promise ' || n, '', '', '', '[]', '[]', '[]', '[]', '[]',
    'beginner', :category, '', '', CASE WHEN n % :rare = 0 THEN 'draft' WHEN n % :rare = 1 THEN 'archived'
    ELSE 'published' END, false, 0, 1, now(), now() - n * interval '5 minutes'
FROM generate_series(1, :rows) AS n
"""
PRODUCTS = """
INSERT INTO products (id, public_id, kind, title, status, taken_seats, created_at)
SELECT 1000 + n, 'prd_' || n, 'course', 'Course ' || n, 'active', 0, now() FROM generate_series(1, :rows) AS n
"""
PRODUCT_COURSES = """
INSERT INTO product_courses (product_id, course_id, position)
SELECT 1000 + n, 1000 + n, 0 FROM generate_series(1, :rows) AS n
"""
PRICES = """
INSERT INTO prices (id, public_id, product_id, unit_amount, currency, type, status, activated_at, created_at)
SELECT 1000 + n, 'prc_' || n, 1000 + n, 9700, 'usd', 'one_time', 'active', now(), now()
FROM generate_series(1, :rows) AS n WHERE n % :rare <> 2
"""

BUNDLES = """
INSERT INTO products (id, public_id, kind, slug, title, status, taken_seats, created_at)
SELECT 1000000 + n, 'bun_' || n, 'bundle', 'bundle-' || n, 'Bundle ' || n,
    CASE WHEN n % :rare = 0 THEN 'archived' ELSE 'active' END, 0, now()
FROM generate_series(1, :rows) AS n
"""
BUNDLE_COURSES = """
INSERT INTO product_courses (product_id, course_id, position)
SELECT 1000000 + n, 1000 + n, 0 FROM generate_series(1, :rows) AS n
"""


POSTS = """
INSERT INTO posts (id, public_id, slug, title, excerpt, body_markdown, body_html, contents, reading_minutes, category_id,
    author_name, status, version, published_at, deleted_at, created_at, updated_at)
SELECT n, 'pst_' || n, 'post-n' || n, 'Post ' || n, 'Excerpt ' || n, '', '', '[]', 1, :category, 'Ana',
    CASE WHEN n % :rare = 0 THEN 'draft' WHEN n % :rare = 1 THEN 'archived' ELSE 'published' END, 1,
    CASE WHEN n % :rare = 2 THEN now() + interval '9 days' ELSE now() - n * interval '5 minutes' END,
    CASE WHEN n % :rare = 3 THEN now() END, now(), now() - n * interval '5 minutes'
FROM generate_series(1, :rows) AS n
"""
POST_COURSES = """
INSERT INTO post_courses (post_id, course_id, position) SELECT n, :course, 0 FROM generate_series(1, :rows, 10) AS n
"""
POST_PRICES = """
INSERT INTO post_prices (post_id, course_id, currency, amount)
SELECT n, :course, 'usd', 9700 + n % :rare FROM generate_series(1, :rows, :rare) AS n
"""


def analyze(connection: Connection, tables: Iterable[str]) -> None:
    """As autovacuum leaves them: statistics, and pages that an index alone may answer for.

    Of every row, not of a sample drawn by chance: the same rows must have the same plans.
    """
    connection.execute(text("SET default_statistics_target = 1000"))
    for table in tables:
        connection.execute(text(f"VACUUM ANALYZE {table}"))


def fill_posts(rows: int) -> None:
    """Make that many posts; a tenth leads to one course, and some name its price."""
    course = make_course()
    values = {"rows": rows, "rare": RARE, "category": course.category_id, "course": course.id}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (POSTS, POST_COURSES, POST_PRICES):
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), names)
        analyze(connection, ("posts", "post_courses", "post_prices", "categories", "courses"))


PEOPLE = """
INSERT INTO users (id, public_id, email, name, password, active, fs_uniquifier, confirmed_at, created_at)
SELECT 1000 + n, 'usr_' || n, 'buyer' || n || '@example.org', 'First' || n % 977 || ' Last' || n % 7919, NULL,
    n % :rare <> 5, 'u' || n, CASE WHEN n % :rare = 4 THEN NULL ELSE now() END, now() - n * interval '5 minutes'
FROM generate_series(1, :rows) AS n WHERE n % 20 <> 1
"""
SIGN_INS = """
INSERT INTO user_sessions (user_id, token_hash, user_agent, created_at, expires_at)
SELECT id, 'h' || id, '', now(), now() FROM users WHERE id > 1000
"""
GRANTS = """
INSERT INTO grants (user_id, course_id, reason, granted_at)
SELECT id, (SELECT id FROM courses WHERE public_id = :course), 'x', now() FROM users WHERE id > 1000 AND id % :rare = 7
"""
SUBSCRIBERS = """
INSERT INTO subscribers (public_id, email, status, source, request_count, requested_at, confirmed_at, unsubscribed_at)
SELECT 'sub_' || n, 'reader' || n || '@example.org',
    CASE WHEN n % :rare = 0 THEN 'erased' WHEN n % :rare < 20 THEN 'pending' WHEN n % :rare < 30 THEN 'unsubscribed'
    ELSE 'confirmed' END, '/blog/post-' || n % 200, 1, now() - n * interval '5 minutes',
    CASE WHEN n % :rare >= 20 THEN now() - n * interval '5 minutes' END,
    CASE WHEN n % :rare BETWEEN 20 AND 29 THEN now() - n * interval '5 minutes' END
FROM generate_series(1, :rows) AS n
"""


def fill_people(rows: int, *, course: str) -> None:
    """Make that many subscribers, and accounts for most buyers of fill_orders(); few have the course for free."""
    values = {"rows": rows, "rare": RARE, "course": course}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (PEOPLE, SIGN_INS, GRANTS, SUBSCRIBERS):
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), names)
        analyze(connection, ("users", "user_sessions", "grants", "subscribers"))


EVENTS = """
INSERT INTO stripe_events (id, type, api_version, livemode, object_id, payload, state, received_at, delivery_count,
    attempt_count, next_attempt_at, handled_at, replay_count)
SELECT 'evt_' || n, CASE WHEN n % :rare = 0 THEN 'charge.dispute.created' WHEN n % 3 = 0 THEN 'charge.succeeded'
    WHEN n % 3 = 1 THEN 'payment_intent.succeeded' ELSE 'checkout.session.completed' END, '2026-10-28', false,
    CASE n % 3 WHEN 0 THEN 'ch_' WHEN 1 THEN 'pi_' ELSE 'cs_' END || n, '{"data":{},"padding":"' || repeat('x', 2000) || '"}',
    CASE WHEN n % :rare = 1 THEN 'failed' WHEN n % :rare = 2 THEN 'received' WHEN n % 3 = 0 THEN 'ignored'
    ELSE 'handled' END,
    now() - n * interval '2 minutes', 1, 1, now() - n * interval '2 minutes', now(), 0
FROM generate_series(1, :rows) AS n
"""
MIRRORS = """
INSERT INTO mirror_states (public_id, state, detail, checked_at)
SELECT 'prd_' || n, CASE WHEN n % :rare = 3 THEN 'differs' ELSE 'in_sync' END, '', now()
FROM generate_series(1, :rows) AS n
"""


def fill_events(rows: int) -> None:
    """Make that many of Stripe's events; one in a hundred is failed, waits, or is of a rare type."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(EVENTS), {"rows": rows, "rare": RARE})
        analyze(connection, ("stripe_events",))


def fill_mirrors(rows: int) -> None:
    """Say of as many products, made by fill_courses(), how Stripe has them; all were sent, with their prices."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(MIRRORS), {"rows": rows, "rare": RARE})
        connection.execute(text("UPDATE products SET stripe_product_id = 'prod_' || id"))
        connection.execute(text("UPDATE prices SET stripe_price_id = 'price_' || id"))
        analyze(connection, ("mirror_states", "products", "prices"))


def fill_courses(rows: int) -> None:
    """Make that many courses, each with its product, most with a price; and as many bundles."""
    values = {"rows": rows, "rare": RARE, "category": make_course().category_id}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (COURSES, PRODUCTS, PRODUCT_COURSES, PRICES, BUNDLES, BUNDLE_COURSES):
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), names)
        analyze(connection, ("courses", "products", "product_courses", "prices", "categories", "lessons"))


def begin_anew() -> None:
    """Empty every table and give its pages back: rows that were only deleted still count in what a plan costs."""
    db.session.remove()
    names = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables if table.name not in KEPT_TABLES)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"TRUNCATE {names}"))


def fill_orders(rows: int) -> str:
    """Make that many orders and what hangs on them, and nothing else; gives the public id of the rare course."""
    begin_anew()
    course, rare = make_course(title="Popular"), make_course(title="Rare")
    price, rare_price = get_price(course), get_price(rare)
    code = create_code("RARECODE", percent_off=10, amount_off=None, currency=None)
    values = {
        "rows": rows, "rare": RARE, "price": price.id, "product": price.product_id,
        "rare_product": rare_price.product_id, "code": code.id,
    }  # fmt: skip
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in (ORDERS, ITEMS, LEDGER, ATTEMPTS, REDEMPTIONS, FINDINGS, WITHDRAWALS):
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), names)
        analyze(connection, TABLES)
    return rare.public_id
