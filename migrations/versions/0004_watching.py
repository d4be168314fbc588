"""What the watch asks: what a look by the clock found, and two partial indexes over a day's deliveries. Additive.

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OCCASION = sa.text("occasion IS NOT NULL")
AMISS = sa.text("status IN ('failed', 'undelivered', 'cancelled')")


def upgrade() -> None:
    with op.batch_alter_table("tick") as batch:
        batch.add_column(sa.Column("details", sa.JSON(), nullable=True))
    op.create_index(
        "ix_delivery_day_apart", "delivery", ["local_day", "kind"], sqlite_where=OCCASION, postgresql_where=OCCASION
    )
    op.create_index("ix_delivery_amiss", "delivery", ["local_day", "id"], sqlite_where=AMISS, postgresql_where=AMISS)


def downgrade() -> None:
    op.drop_index("ix_delivery_amiss", "delivery")
    op.drop_index("ix_delivery_day_apart", "delivery")
    with op.batch_alter_table("tick") as batch:
        batch.drop_column("details")
