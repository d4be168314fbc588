"""The first tables.

Revision: 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("subject_id", KEY, nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index("ix_audit_event_subject", ["subject", "subject_id"], unique=False)

    op.create_table(
        "content_item",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_item")),
        sa.UniqueConstraint("key", "locale", name=op.f("uq_content_item_key_locale")),
    )
    op.create_table(
        "family",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_code", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family")),
        sa.UniqueConstraint("study_code", name=op.f("uq_family_study_code")),
    )
    op.create_table(
        "inbound",
        sa.Column("id", KEY, nullable=False),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("provider_ref", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload_sealed", sa.String(), nullable=False),
        sa.Column("sender", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("attempts", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("provider", "provider_ref", name=op.f("uq_inbound_provider_provider_ref")),
    )
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.create_index(
            "ix_inbound_new",
            ["id"],
            unique=False,
            sqlite_where=sa.text("status = 'new'"),
            postgresql_where=sa.text("status = 'new'"),
        )

    op.create_table(
        "moment",
        sa.Column("at", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("instant", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("at", "local_day", "zone", name=op.f("pk_moment")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "planned_day",
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("zone", "local_day", name=op.f("pk_planned_day")),
    )
    op.create_table(
        "staff",
        sa.Column("id", KEY, nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
        sa.UniqueConstraint("fs_uniquifier", name=op.f("uq_staff_fs_uniquifier")),
    )
    op.create_table(
        "study",
        sa.Column("id", KEY, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("quiet_from", sa.Integer(), nullable=False),
        sa.Column("quiet_until", sa.Integer(), nullable=False),
        sa.Column("daily_cap", KEY, nullable=False),
        sa.Column("condolence", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study")),
        sa.UniqueConstraint("slug", name=op.f("uq_study_slug")),
    )
    op.create_table(
        "arm",
        sa.Column("id", KEY, nullable=False),
        sa.Column("study_id", KEY, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("gets_facts", sa.Boolean(), nullable=False),
        sa.Column("gets_prompts", sa.Boolean(), nullable=False),
        sa.Column("weekdays", KEY, nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_arm_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arm")),
        sa.UniqueConstraint("study_id", "slug", name=op.f("uq_arm_study_id_slug")),
    )
    op.create_table(
        "caregiver",
        sa.Column("id", KEY, nullable=False),
        sa.Column("family_id", KEY, nullable=False),
        sa.Column("name_sealed", sa.String(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("fact_time", sa.Integer(), nullable=False),
        sa.Column("prompt_time", sa.Integer(), nullable=False),
        sa.Column("messaging", sa.String(length=32), nullable=False),
        sa.Column("messaging_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_until", sa.Date(), nullable=True),
        sa.Column("wants_facts", sa.Boolean(), nullable=False),
        sa.Column("wants_prompts", sa.Boolean(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["family_id"], ["family.id"], name=op.f("fk_caregiver_family_id_family")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_caregiver")),
    )
    with op.batch_alter_table("caregiver", schema=None) as batch_op:
        batch_op.create_index("ix_caregiver_family", ["family_id"], unique=False)
        batch_op.create_index("ix_caregiver_zone", ["zone", "id", "family_id"], unique=False)

    op.create_table(
        "content_calendar",
        sa.Column("age_day", KEY, autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=False),
        sa.Column("programme", sa.String(length=64), nullable=False),
        sa.Column("item_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["content_item.id"], name=op.f("fk_content_calendar_item_id_content_item")
        ),
        sa.PrimaryKeyConstraint("age_day", "stage", "kind", "locale", "programme", name=op.f("pk_content_calendar")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "content_version",
        sa.Column("id", KEY, nullable=False),
        sa.Column("item_id", KEY, nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["content_item.id"], name=op.f("fk_content_version_item_id_content_item")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_version")),
        sa.UniqueConstraint("item_id", "number", name=op.f("uq_content_version_item_id_number")),
    )
    with op.batch_alter_table("content_version", schema=None) as batch_op:
        batch_op.create_index(
            "uq_content_version_current",
            ["item_id"],
            unique=True,
            sqlite_where=sa.text("current"),
            postgresql_where=sa.text("current"),
        )

    op.create_table(
        "pregnancy",
        sa.Column("id", KEY, nullable=False),
        sa.Column("family_id", KEY, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("born_on", sa.Date(), nullable=True),
        sa.Column("gestation_days", KEY, nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("hold", sa.String(length=32), nullable=True),
        sa.Column("dates_changed", sa.Boolean(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["family_id"], ["family.id"], name=op.f("fk_pregnancy_family_id_family")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pregnancy")),
    )
    with op.batch_alter_table("pregnancy", schema=None) as batch_op:
        batch_op.create_index("ix_pregnancy_family", ["family_id", "status"], unique=False)

    op.create_table(
        "staff_role",
        sa.Column("id", KEY, nullable=False),
        sa.Column("staff_id", KEY, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("study_id", KEY, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_role_staff_id_staff")),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_staff_role_study_id_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_role")),
    )
    with op.batch_alter_table("staff_role", schema=None) as batch_op:
        batch_op.create_index("uq_staff_role", ["staff_id", "name", "study_id"], unique=True)

    op.create_table(
        "task",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("occasion", sa.String(length=96), nullable=False),
        sa.Column("family_id", KEY, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["family_id"], ["family.id"], name=op.f("fk_task_family_id_family")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("occasion", name=op.f("uq_task_occasion")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index("ix_task_family", ["family_id"], unique=False)
        batch_op.create_index(
            "ix_task_open",
            ["id"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )

    op.create_table(
        "address",
        sa.Column("id", KEY, nullable=False),
        sa.Column("caregiver_id", KEY, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("value_sealed", sa.String(), nullable=False),
        sa.Column("look_up", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_why", sa.String(length=32), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["caregiver_id"], ["caregiver.id"], name=op.f("fk_address_caregiver_id_caregiver")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address")),
    )
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.create_index("ix_address_caregiver", ["caregiver_id", "closed_at"], unique=False)
        batch_op.create_index("ix_address_look_up", ["look_up"], unique=False)
        batch_op.create_index(
            "uq_address_owned",
            ["channel", "look_up"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL AND NOT shared"),
            postgresql_where=sa.text("closed_at IS NULL AND NOT shared"),
        )

    op.create_table(
        "consent",
        sa.Column("id", KEY, nullable=False),
        sa.Column("caregiver_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("how", sa.String(length=64), nullable=False),
        sa.Column("text_shown", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["caregiver_id"], ["caregiver.id"], name=op.f("fk_consent_caregiver_id_caregiver")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.create_index("ix_consent_caregiver", ["caregiver_id", "kind", "id"], unique=False)

    op.create_table(
        "delivery",
        sa.Column("id", KEY, nullable=False),
        sa.Column("caregiver_id", KEY, nullable=False),
        sa.Column("pregnancy_id", KEY, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("occasion", sa.String(length=64), nullable=True),
        sa.Column("priority", KEY, nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=True),
        sa.Column("age_day", KEY, nullable=True),
        sa.Column("item_id", KEY, nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("attempts", KEY, nullable=False),
        sa.Column("failures", KEY, nullable=False),
        sa.Column("lease", sa.String(length=40), nullable=True),
        sa.Column("lease_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version_id", KEY, nullable=True),
        sa.Column("text_sealed", sa.String(), nullable=True),
        sa.Column("provider_ref", sa.String(length=64), nullable=True),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["caregiver_id"], ["caregiver.id"], name=op.f("fk_delivery_caregiver_id_caregiver")),
        sa.ForeignKeyConstraint(["item_id"], ["content_item.id"], name=op.f("fk_delivery_item_id_content_item")),
        sa.ForeignKeyConstraint(["pregnancy_id"], ["pregnancy.id"], name=op.f("fk_delivery_pregnancy_id_pregnancy")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["content_version.id"], name=op.f("fk_delivery_version_id_content_version")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index("ix_delivery_caregiver", ["caregiver_id", "due_at"], unique=False)
        batch_op.create_index(
            "ix_delivery_due",
            ["priority", "due_at"],
            unique=False,
            sqlite_where=sa.text("status = 'planned'"),
            postgresql_where=sa.text("status = 'planned'"),
        )
        batch_op.create_index(
            "ix_delivery_lease",
            ["lease_ends_at"],
            unique=False,
            sqlite_where=sa.text("status = 'sending'"),
            postgresql_where=sa.text("status = 'sending'"),
        )
        batch_op.create_index(
            "ix_delivery_notice",
            ["pregnancy_id"],
            unique=False,
            sqlite_where=sa.text("kind = 'notice'"),
            postgresql_where=sa.text("kind = 'notice'"),
        )
        batch_op.create_index(
            "ix_delivery_skipped",
            ["local_day", "kind", "caregiver_id", "reason"],
            unique=False,
            sqlite_where=sa.text("status = 'skipped'"),
            postgresql_where=sa.text("status = 'skipped'"),
        )
        batch_op.create_index(
            "ix_delivery_unknown",
            ["id"],
            unique=False,
            sqlite_where=sa.text("status = 'unknown'"),
            postgresql_where=sa.text("status = 'unknown'"),
        )
        batch_op.create_index(
            "uq_delivery_occasion",
            ["occasion"],
            unique=True,
            sqlite_where=sa.text("occasion IS NOT NULL"),
            postgresql_where=sa.text("occasion IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_delivery_provider_ref",
            ["provider_ref"],
            unique=True,
            sqlite_where=sa.text("provider_ref IS NOT NULL"),
            postgresql_where=sa.text("provider_ref IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_delivery_slot",
            ["local_day", "kind", "caregiver_id", "pregnancy_id"],
            unique=True,
            sqlite_where=sa.text("occasion IS NULL"),
            postgresql_where=sa.text("occasion IS NULL"),
        )

    op.create_table(
        "enrolment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("family_id", KEY, nullable=False),
        sa.Column("arm_id", KEY, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("to_day", sa.Date(), nullable=True),
        sa.Column("ended_why", sa.String(length=32), nullable=True),
        sa.Column("data_choice", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["arm_id"], ["arm.id"], name=op.f("fk_enrolment_arm_id_arm")),
        sa.ForeignKeyConstraint(["family_id"], ["family.id"], name=op.f("fk_enrolment_family_id_family")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index("ix_enrolment_arm", ["arm_id"], unique=False)
        batch_op.create_index("ix_enrolment_family", ["family_id", "from_day", "to_day", "arm_id"], unique=False)
        batch_op.create_index(
            "uq_enrolment_open",
            ["family_id"],
            unique=True,
            sqlite_where=sa.text("to_day IS NULL"),
            postgresql_where=sa.text("to_day IS NULL"),
        )

    op.create_table(
        "infant",
        sa.Column("id", KEY, nullable=False),
        sa.Column("pregnancy_id", KEY, nullable=False),
        sa.Column("position", KEY, nullable=False),
        sa.Column("name_sealed", sa.String(), nullable=True),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("loss_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["pregnancy_id"], ["pregnancy.id"], name=op.f("fk_infant_pregnancy_id_pregnancy")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_infant")),
        sa.UniqueConstraint("pregnancy_id", "position", name=op.f("uq_infant_pregnancy_id_position")),
    )
    op.create_table(
        "pregnancy_stage",
        sa.Column("pregnancy_id", KEY, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("zero_ordinal", KEY, nullable=False),
        sa.Column("turns", KEY, nullable=False),
        sa.Column("turn", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["pregnancy_id"], ["pregnancy.id"], name=op.f("fk_pregnancy_stage_pregnancy_id_pregnancy")
        ),
        sa.PrimaryKeyConstraint("pregnancy_id", "first_day", name=op.f("pk_pregnancy_stage")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("pregnancy_stage", schema=None) as batch_op:
        batch_op.create_index("ix_pregnancy_stage_first", ["first_day", "stage"], unique=False)

    op.create_table(
        "attempt",
        sa.Column("id", KEY, nullable=False),
        sa.Column("delivery_id", KEY, nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_attempt_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index("uq_attempt_number", ["delivery_id", "number"], unique=True)

    op.create_table(
        "receipt",
        sa.Column("id", KEY, nullable=False),
        sa.Column("delivery_id", KEY, nullable=True),
        sa.Column("provider_ref", sa.String(length=64), nullable=False),
        sa.Column("told", sa.String(length=32), nullable=False),
        sa.Column("error_code", KEY, nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_receipt_delivery_id_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index("ix_receipt_delivery", ["delivery_id"], unique=False)

    op.create_table(
        "reply",
        sa.Column("id", KEY, nullable=False),
        sa.Column("inbound_id", KEY, nullable=False),
        sa.Column("caregiver_id", KEY, nullable=True),
        sa.Column("delivery_id", KEY, nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text_sealed", sa.String(), nullable=False),
        sa.Column("n_chars", KEY, nullable=False),
        sa.Column("n_words", KEY, nullable=False),
        sa.Column("n_media", KEY, nullable=False),
        sa.Column("keyword", sa.String(length=32), nullable=True),
        sa.Column("provider_answered", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["caregiver_id"], ["caregiver.id"], name=op.f("fk_reply_caregiver_id_caregiver")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_reply_delivery_id_delivery")),
        sa.ForeignKeyConstraint(["inbound_id"], ["inbound.id"], name=op.f("fk_reply_inbound_id_inbound")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply")),
        sa.UniqueConstraint("inbound_id", name=op.f("uq_reply_inbound_id")),
    )
    with op.batch_alter_table("reply", schema=None) as batch_op:
        batch_op.create_index("ix_reply_caregiver", ["caregiver_id", "received_at"], unique=False)
        batch_op.create_index("ix_reply_delivery", ["delivery_id"], unique=False)
        batch_op.create_index(
            "ix_reply_new",
            ["id"],
            unique=False,
            sqlite_where=sa.text("status = 'new'"),
            postgresql_where=sa.text("status = 'new'"),
        )
        batch_op.create_index(
            "ix_reply_waiting",
            ["received_at", "id"],
            unique=False,
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )

    op.create_table(
        "comment",
        sa.Column("id", KEY, nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("reply_id", KEY, nullable=False),
        sa.Column("author_id", KEY, nullable=False),
        sa.Column("delivery_id", KEY, nullable=True),
        sa.Column("text_sealed", sa.String(), nullable=False),
        sa.Column("n_words", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_comment_author_id_staff")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_comment_delivery_id_delivery")),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_comment_reply_id_reply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
        sa.UniqueConstraint("token", name=op.f("uq_comment_token")),
    )
    with op.batch_alter_table("comment", schema=None) as batch_op:
        batch_op.create_index("ix_comment_delivery", ["delivery_id"], unique=False)
        batch_op.create_index("ix_comment_reply", ["reply_id"], unique=False)

    op.create_table(
        "media",
        sa.Column("id", KEY, nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("reply_id", KEY, nullable=False),
        sa.Column("position", KEY, nullable=False),
        sa.Column("source_url", sa.String(length=500), nullable=False),
        sa.Column("told_type", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("attempts", KEY, nullable=False),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.Column("content_type", sa.String(length=64), nullable=True),
        sa.Column("n_bytes", KEY, nullable=True),
        sa.Column("width", KEY, nullable=True),
        sa.Column("height", KEY, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("note", sa.String(length=400), nullable=True),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_media_reply_id_reply")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("reply_id", "position", name=op.f("uq_media_reply_id_position")),
        sa.UniqueConstraint("token", name=op.f("uq_media_token")),
    )
    with op.batch_alter_table("media", schema=None) as batch_op:
        batch_op.create_index(
            "ix_media_waiting",
            ["next_look_at"],
            unique=False,
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )

    op.create_table(
        "review",
        sa.Column("id", KEY, nullable=False),
        sa.Column("reply_id", KEY, nullable=False),
        sa.Column("reviewer_id", KEY, nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["reply_id"], ["reply.id"], name=op.f("fk_review_reply_id_reply")),
        sa.ForeignKeyConstraint(["reviewer_id"], ["staff.id"], name=op.f("fk_review_reviewer_id_staff")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.create_index("ix_review_reply", ["reply_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.drop_index("ix_review_reply")

    op.drop_table("review")
    with op.batch_alter_table("media", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_media_waiting",
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )

    op.drop_table("media")
    with op.batch_alter_table("comment", schema=None) as batch_op:
        batch_op.drop_index("ix_comment_reply")
        batch_op.drop_index("ix_comment_delivery")

    op.drop_table("comment")
    with op.batch_alter_table("reply", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_reply_waiting",
            sqlite_where=sa.text("status = 'waiting'"),
            postgresql_where=sa.text("status = 'waiting'"),
        )
        batch_op.drop_index(
            "ix_reply_new", sqlite_where=sa.text("status = 'new'"), postgresql_where=sa.text("status = 'new'")
        )
        batch_op.drop_index("ix_reply_delivery")
        batch_op.drop_index("ix_reply_caregiver")

    op.drop_table("reply")
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.drop_index("ix_receipt_delivery")

    op.drop_table("receipt")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index("uq_attempt_number")

    op.drop_table("attempt")
    with op.batch_alter_table("pregnancy_stage", schema=None) as batch_op:
        batch_op.drop_index("ix_pregnancy_stage_first")

    op.drop_table("pregnancy_stage")
    op.drop_table("infant")
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_enrolment_open", sqlite_where=sa.text("to_day IS NULL"), postgresql_where=sa.text("to_day IS NULL")
        )
        batch_op.drop_index("ix_enrolment_family")
        batch_op.drop_index("ix_enrolment_arm")

    op.drop_table("enrolment")
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_delivery_slot", sqlite_where=sa.text("occasion IS NULL"), postgresql_where=sa.text("occasion IS NULL")
        )
        batch_op.drop_index(
            "uq_delivery_provider_ref",
            sqlite_where=sa.text("provider_ref IS NOT NULL"),
            postgresql_where=sa.text("provider_ref IS NOT NULL"),
        )
        batch_op.drop_index(
            "uq_delivery_occasion",
            sqlite_where=sa.text("occasion IS NOT NULL"),
            postgresql_where=sa.text("occasion IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_delivery_unknown",
            sqlite_where=sa.text("status = 'unknown'"),
            postgresql_where=sa.text("status = 'unknown'"),
        )
        batch_op.drop_index(
            "ix_delivery_skipped",
            sqlite_where=sa.text("status = 'skipped'"),
            postgresql_where=sa.text("status = 'skipped'"),
        )
        batch_op.drop_index(
            "ix_delivery_notice", sqlite_where=sa.text("kind = 'notice'"), postgresql_where=sa.text("kind = 'notice'")
        )
        batch_op.drop_index(
            "ix_delivery_lease",
            sqlite_where=sa.text("status = 'sending'"),
            postgresql_where=sa.text("status = 'sending'"),
        )
        batch_op.drop_index(
            "ix_delivery_due",
            sqlite_where=sa.text("status = 'planned'"),
            postgresql_where=sa.text("status = 'planned'"),
        )
        batch_op.drop_index("ix_delivery_caregiver")

    op.drop_table("delivery")
    with op.batch_alter_table("consent", schema=None) as batch_op:
        batch_op.drop_index("ix_consent_caregiver")

    op.drop_table("consent")
    with op.batch_alter_table("address", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_address_owned",
            sqlite_where=sa.text("closed_at IS NULL AND NOT shared"),
            postgresql_where=sa.text("closed_at IS NULL AND NOT shared"),
        )
        batch_op.drop_index("ix_address_look_up")
        batch_op.drop_index("ix_address_caregiver")

    op.drop_table("address")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_task_open", sqlite_where=sa.text("done_at IS NULL"), postgresql_where=sa.text("done_at IS NULL")
        )
        batch_op.drop_index("ix_task_family")

    op.drop_table("task")
    with op.batch_alter_table("staff_role", schema=None) as batch_op:
        batch_op.drop_index("uq_staff_role")

    op.drop_table("staff_role")
    with op.batch_alter_table("pregnancy", schema=None) as batch_op:
        batch_op.drop_index("ix_pregnancy_family")

    op.drop_table("pregnancy")
    with op.batch_alter_table("content_version", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_content_version_current", sqlite_where=sa.text("current"), postgresql_where=sa.text("current")
        )

    op.drop_table("content_version")
    op.drop_table("content_calendar")
    with op.batch_alter_table("caregiver", schema=None) as batch_op:
        batch_op.drop_index("ix_caregiver_zone")
        batch_op.drop_index("ix_caregiver_family")

    op.drop_table("caregiver")
    op.drop_table("arm")
    op.drop_table("study")
    op.drop_table("staff")
    op.drop_table("planned_day")
    op.drop_table("moment")
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_inbound_new", sqlite_where=sa.text("status = 'new'"), postgresql_where=sa.text("status = 'new'")
        )

    op.drop_table("inbound")
    op.drop_table("family")
    op.drop_table("content_item")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_event_subject")

    op.drop_table("audit_event")
