"""Senders and ticks; and, for each delivery, where it went, what from, and when the provider is asked about it.

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LOOK = sa.text("look_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "sender",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("segments_per_second", KEY, nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_code", KEY, nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender")),
        sa.UniqueConstraint("channel", "address", name=op.f("uq_sender_channel_address")),
    )
    op.create_table(
        "tick",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tick")),
    )
    with op.batch_alter_table("address") as batch:
        batch.add_column(sa.Column("sender_id", KEY, nullable=True))
        batch.add_column(sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True))
        batch.create_foreign_key(op.f("fk_address_sender_id_sender"), "sender", ["sender_id"], ["id"])
    with op.batch_alter_table("attempt") as batch:
        batch.add_column(sa.Column("provider_ref", sa.String(length=64), nullable=True))
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(sa.Column("address_id", KEY, nullable=True))
        batch.add_column(sa.Column("sender_id", KEY, nullable=True))
        batch.add_column(sa.Column("look_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(sa.Column("looks", KEY, server_default=sa.text("0"), nullable=False))
        batch.create_foreign_key(op.f("fk_delivery_address_id_address"), "address", ["address_id"], ["id"])
        batch.create_foreign_key(op.f("fk_delivery_sender_id_sender"), "sender", ["sender_id"], ["id"])
    op.create_index("ix_delivery_look", "delivery", ["look_at"], sqlite_where=LOOK, postgresql_where=LOOK)


def downgrade() -> None:
    op.drop_index("ix_delivery_look", "delivery")
    with op.batch_alter_table("delivery") as batch:
        batch.drop_constraint(op.f("fk_delivery_sender_id_sender"), type_="foreignkey")
        batch.drop_constraint(op.f("fk_delivery_address_id_address"), type_="foreignkey")
        for name in ("looks", "look_at", "sender_id", "address_id"):
            batch.drop_column(name)
    with op.batch_alter_table("attempt") as batch:
        batch.drop_column("provider_ref")
    with op.batch_alter_table("address") as batch:
        batch.drop_constraint(op.f("fk_address_sender_id_sender"), type_="foreignkey")
        batch.drop_column("heard_at")
        batch.drop_column("sender_id")
    op.drop_table("tick")
    op.drop_table("sender")
