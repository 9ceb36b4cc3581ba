"""Courses found by the words of their titles, addresses and promises

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_courses_words",
            "courses",
            [sa.text("to_tsvector('simple', (((title || ' ') || slug) || ' ') || promise)")],
            postgresql_using="gin",
        )


def downgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_courses_words", table_name="courses")
