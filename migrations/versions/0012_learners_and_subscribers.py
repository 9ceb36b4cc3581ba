"""The site seen as a learner, notes about people, erased subscribers, and what finds one person among many."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

IS_OPEN = sa.text("ended_at IS NULL")
STATUSES = "status IN ('pending', 'confirmed', 'unsubscribed'{})"


def upgrade():
    op.create_table(
        "site_views",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("user_session_id", sa.Integer(), nullable=False),
        sa.Column("learner_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["users.id"], name=op.f("fk_site_views_staff_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["learner_id"], ["users.id"], name=op.f("fk_site_views_learner_id_users"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_session_id"],
            ["user_sessions.id"],
            name=op.f("fk_site_views_user_session_id_user_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_views")),
        sa.UniqueConstraint("public_id", name=op.f("uq_site_views_public_id")),
    )
    op.create_index(op.f("ix_site_views_learner_id"), "site_views", ["learner_id"])
    op.create_index(op.f("ix_site_views_user_session_id"), "site_views", ["user_session_id"])
    open_only = {"sqlite_where": IS_OPEN, "postgresql_where": IS_OPEN}
    op.create_index("uq_site_views_open", "site_views", ["staff_id"], unique=True, **open_only)
    op.create_index("ix_site_views_ends", "site_views", ["ends_at"], **open_only)
    op.create_table(
        "user_notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_notes_user_id_users"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["actor_id"], ["users.id"], name=op.f("fk_user_notes_actor_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_notes")),
    )
    op.create_index(op.f("ix_user_notes_user_id"), "user_notes", ["user_id"])
    op.create_index("ix_users_name", "users", ["name", "id"])
    op.create_index("ix_users_email_prefix", "users", ["email"], postgresql_ops={"email": "varchar_pattern_ops"})
    for name, condition in (("closed", sa.text("NOT active")), ("unproved", sa.text("confirmed_at IS NULL"))):
        op.create_index(f"ix_users_{name}", "users", ["id"], sqlite_where=condition, postgresql_where=condition)
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_users_name_words", "users", [sa.text("to_tsvector('simple', name)")], postgresql_using="gin"
        )
    with op.batch_alter_table("subscribers") as batch_op:
        batch_op.drop_constraint(op.f("ck_subscribers_status"), type_="check")
        batch_op.create_check_constraint(op.f("ck_subscribers_status"), STATUSES.format(", 'erased'"))
        batch_op.create_index("ix_subscribers_status", ["status", "id"])
        batch_op.create_index(op.f("ix_subscribers_source"), ["source"])
        batch_op.create_index(op.f("ix_subscribers_unsubscribed_at"), ["unsubscribed_at"])
    op.create_index(
        "ix_subscribers_email_prefix", "subscribers", ["email"], postgresql_ops={"email": "varchar_pattern_ops"}
    )


def downgrade():
    # Before this there was no such thing: the hash that is left of an address would be taken for one.
    op.execute("DELETE FROM subscribers WHERE status = 'erased'")
    op.drop_index("ix_subscribers_email_prefix", table_name="subscribers")
    with op.batch_alter_table("subscribers") as batch_op:
        batch_op.drop_index(op.f("ix_subscribers_unsubscribed_at"))
        batch_op.drop_index(op.f("ix_subscribers_source"))
        batch_op.drop_index("ix_subscribers_status")
        batch_op.drop_constraint(op.f("ck_subscribers_status"), type_="check")
        batch_op.create_check_constraint(op.f("ck_subscribers_status"), STATUSES.format(""))
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_users_name_words", table_name="users")
    op.drop_index("ix_users_unproved", table_name="users")
    op.drop_index("ix_users_closed", table_name="users")
    op.drop_index("ix_users_email_prefix", table_name="users")
    op.drop_index("ix_users_name", table_name="users")
    op.drop_table("user_notes")
    op.drop_table("site_views")
