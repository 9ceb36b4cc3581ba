"""Posts that are edited in the browser: trash, revisions, working copies, and what their texts say of courses."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table("posts") as batch_op:
        batch_op.add_column(sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(op.f("ix_posts_deleted_at"), ["deleted_at"])
        batch_op.create_index("ix_posts_updated", ["updated_at", "id"])
        batch_op.create_index("ix_posts_title", ["title", "id"])
    op.create_table(
        "post_revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor_id", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_revisions_post_id_posts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_revisions")),
        sa.UniqueConstraint("post_id", "number", name=op.f("uq_post_revisions_post_id_number")),
    )
    op.create_table(
        "post_working_copies",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_working_copies_post_id_posts"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_post_working_copies_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "user_id", name=op.f("pk_post_working_copies")),
    )
    op.create_index(op.f("ix_post_working_copies_user_id"), "post_working_copies", ["user_id"])
    op.create_table(
        "post_prices",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_post_prices_course_id_courses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_prices_post_id_posts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "course_id", "currency", "amount", name=op.f("pk_post_prices")),
    )
    op.create_index(op.f("ix_post_prices_course_id"), "post_prices", ["course_id"])
    op.create_table(
        "post_links",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["courses.id"], name=op.f("fk_post_links_course_id_courses"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_links_post_id_posts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "course_id", name=op.f("pk_post_links")),
    )
    op.create_index(op.f("ix_post_links_course_id"), "post_links", ["course_id"])


def downgrade():
    # What lies in the trash stays out of visitors' sight: without the column, only its status can say so.
    op.execute("UPDATE posts SET status = 'archived' WHERE deleted_at IS NOT NULL")
    op.drop_table("post_links")
    op.drop_table("post_prices")
    op.drop_table("post_working_copies")
    op.drop_table("post_revisions")
    with op.batch_alter_table("posts") as batch_op:
        batch_op.drop_index("ix_posts_title")
        batch_op.drop_index("ix_posts_updated")
        batch_op.drop_index(op.f("ix_posts_deleted_at"))
        batch_op.drop_column("deleted_at")
