"""Courses and posts found by the words of their titles, addresses and promises or excerpts

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


LAST_COLUMNS = {"courses": "promise", "posts": "excerpt"}


def upgrade():
    if op.get_bind().dialect.name == "postgresql":
        for table, last in LAST_COLUMNS.items():
            words = sa.text(f"to_tsvector('simple', (((title || ' ') || slug) || ' ') || {last})")
            op.create_index(f"ix_{table}_words", table, [words], postgresql_using="gin")


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        for table in LAST_COLUMNS:
            op.drop_index(f"ix_{table}_words", table_name=table)
