"""Courses that are edited in the browser: schedule, soft deletion, public ids and versions of what they are made of."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PARTS = (("sections", "sec"), ("lessons", "les"))
NOT_DELETED = sa.text("deleted_at IS NULL")


def upgrade():
    with op.batch_alter_table("courses") as batch_op:
        batch_op.add_column(sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(op.f("ix_courses_publish_at"), ["publish_at"])
        batch_op.create_index("ix_courses_updated", ["updated_at", "id"])
        batch_op.create_index("ix_courses_title", ["title", "id"])
    for table, prefix in PARTS:
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("public_id", sa.String(length=40), nullable=True))
            batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
            if table == "lessons":
                batch_op.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
            batch_op.drop_constraint(op.f(f"uq_{table}_course_id_position"), type_="unique")
        fill_in(table, prefix)
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("public_id", existing_type=sa.String(length=40), nullable=False)
            if table == "lessons":
                batch_op.alter_column("version", existing_type=sa.Integer(), server_default=None)
            batch_op.create_unique_constraint(op.f(f"uq_{table}_public_id"), ["public_id"])
        op.create_index(
            f"uq_{table}_position",
            table,
            ["course_id", "position"],
            unique=True,
            sqlite_where=NOT_DELETED,
            postgresql_where=NOT_DELETED,
        )


def downgrade():
    # SQLite's foreign keys are off in a migration: what points to a deleted lesson is taken out by hand.
    op.execute("DELETE FROM lesson_progress WHERE lesson_id IN (SELECT id FROM lessons WHERE deleted_at IS NOT NULL)")
    op.execute(
        "UPDATE enrollments SET last_lesson_id = NULL"
        " WHERE last_lesson_id IN (SELECT id FROM lessons WHERE deleted_at IS NOT NULL)"
    )
    for table, _prefix in reversed(PARTS):
        op.drop_index(f"uq_{table}_position", table_name=table)
        op.execute(f"DELETE FROM {table} WHERE deleted_at IS NOT NULL")  # noqa: S608 - the two names above
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(op.f(f"uq_{table}_public_id"), type_="unique")
            batch_op.drop_column("public_id")
            batch_op.drop_column("deleted_at")
            if table == "lessons":
                batch_op.drop_column("version")
            batch_op.create_unique_constraint(op.f(f"uq_{table}_course_id_position"), ["course_id", "position"])
    with op.batch_alter_table("courses") as batch_op:
        batch_op.drop_index("ix_courses_title")
        batch_op.drop_index("ix_courses_updated")
        batch_op.drop_index(op.f("ix_courses_publish_at"))
        batch_op.drop_column("deleted_at")
        batch_op.drop_column("publish_at")


def fill_in(table, prefix):
    rows = sa.table(table, sa.column("id", sa.Integer), sa.column("public_id", sa.String))
    connection = op.get_bind()
    for row_id in connection.execute(sa.select(rows.c.id)).scalars().all():
        made = prefix + "_" + "".join(secrets.choice(ALPHABET) for _ in range(22))
        connection.execute(rows.update().where(rows.c.id == row_id).values(public_id=made))
