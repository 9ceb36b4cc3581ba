"""A course that belongs to a product cannot be deleted: somebody may be paying for it at this moment."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAME = "fk_product_courses_course_id_courses"


def upgrade():
    with op.batch_alter_table("product_courses") as batch_op:
        batch_op.drop_constraint(NAME, type_="foreignkey")
        batch_op.create_foreign_key(NAME, "courses", ["course_id"], ["id"])


def downgrade():
    with op.batch_alter_table("product_courses") as batch_op:
        batch_op.drop_constraint(NAME, type_="foreignkey")
        batch_op.create_foreign_key(NAME, "courses", ["course_id"], ["id"], ondelete="CASCADE")
