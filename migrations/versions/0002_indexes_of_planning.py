"""Indexes by which a day's planning finds the times that are chosen, the pauses that end, the stages that begin and
whether a phone is shared.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAUSED = sa.text("messaging = 'paused'")


def upgrade() -> None:
    op.create_index("ix_caregiver_fact_time", "caregiver", ["zone", "fact_time"])
    op.create_index("ix_caregiver_prompt_time", "caregiver", ["zone", "prompt_time"])
    op.create_index(
        "ix_caregiver_paused", "caregiver", ["zone", "paused_until"], sqlite_where=PAUSED, postgresql_where=PAUSED
    )
    op.drop_index("ix_pregnancy_stage_first", "pregnancy_stage")
    op.create_index("ix_pregnancy_stage_first", "pregnancy_stage", ["stage", "first_day"])
    op.drop_index("ix_address_caregiver", "address")
    op.create_index("ix_address_caregiver", "address", ["caregiver_id", "closed_at", "shared"])


def downgrade() -> None:
    op.drop_index("ix_address_caregiver", "address")
    op.create_index("ix_address_caregiver", "address", ["caregiver_id", "closed_at"])
    op.drop_index("ix_pregnancy_stage_first", "pregnancy_stage")
    op.create_index("ix_pregnancy_stage_first", "pregnancy_stage", ["first_day", "stage"])
    for name in ("ix_caregiver_paused", "ix_caregiver_prompt_time", "ix_caregiver_fact_time"):
        op.drop_index(name, "caregiver")
