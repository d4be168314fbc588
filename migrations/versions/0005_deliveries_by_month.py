"""Deliveries in a table for each month, on PostgreSQL; SQLite keeps its one table and is not touched.

All rows are copied, so this takes a while over many (docs/operations.md has the figure), and nothing else may run.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

REFER = ("attempt", "receipt", "reply", "comment")  # the tables with a delivery_id
POINTS_TO = {
    "address_id": "address", "caregiver_id": "caregiver", "item_id": "content_item", "pregnancy_id": "pregnancy",
    "sender_id": "sender", "version_id": "content_version",
}  # fmt: skip
INDEXES = {  # name: columns, where, unique
    "ix_delivery_amiss": (["local_day", "id"], "status IN ('failed', 'undelivered', 'cancelled')", False),
    "ix_delivery_caregiver": (["caregiver_id", "due_at"], None, False),
    "ix_delivery_day_apart": (["local_day", "kind"], "occasion IS NOT NULL", False),
    "ix_delivery_due": (["priority", "due_at"], "status = 'planned'", False),
    "ix_delivery_lease": (["lease_ends_at"], "status = 'sending'", False),
    "ix_delivery_look": (["look_at"], "look_at IS NOT NULL", False),
    "ix_delivery_notice": (["pregnancy_id"], "kind = 'notice'", False),
    "ix_delivery_skipped": (["local_day", "kind", "caregiver_id", "reason"], "status = 'skipped'", False),
    "ix_delivery_unknown": (["id"], "status = 'unknown'", False),
    "uq_delivery_slot": (["local_day", "kind", "caregiver_id", "pregnancy_id"], "occasion IS NULL", True),
}
ONE_TABLE_INDEXES = {  # unique over all months, which no index over several tables can be
    "uq_delivery_occasion": (["occasion"], "occasion IS NOT NULL", True),
    "uq_delivery_provider_ref": (["provider_ref"], "provider_ref IS NOT NULL", True),
}

# Makes the table of a day's month; false where it is there. Attached rather than made as a part at once, because that
# would lock out every reader of all months. Its foreign keys still have to lock the tables that they point to against
# writers for a moment; it gives up rather than queue for that, since whoever wants to write queues behind it.
MONTH = """
CREATE FUNCTION delivery_month(day date) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    first date := date_trunc('month', day);
    part text := to_char(first, '"delivery_"YYYY_MM');
BEGIN
    FOR turn IN 1..2 LOOP
        IF EXISTS (SELECT FROM pg_inherits JOIN pg_class ON oid = inhrelid
                   WHERE inhparent = 'delivery'::regclass AND relname = part) THEN
            RETURN false;
        END IF;
        PERFORM pg_advisory_xact_lock('delivery'::regclass::oid::bigint);  -- one at a time, and then look again
    END LOOP;
    IF EXISTS (SELECT FROM pg_class WHERE relname = part AND pg_table_is_visible(oid)) THEN
        RAISE EXCEPTION 'The table % has been detached; attach it again before anything is written for that month.', part;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE delivery)', part);
    EXECUTE format('CREATE UNIQUE INDEX %I ON %I (provider_ref) WHERE provider_ref IS NOT NULL',
                   'uq_' || part || '_provider_ref', part);
    EXECUTE format('ALTER TABLE delivery ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, first, (first + interval '1 month')::date);
    RETURN true;
END $$
"""
# An occasion that is taken makes the new row vanish, as ON CONFLICT DO NOTHING does. A transaction that is about to
# take it is waited for.
TAKE_OCCASION = """
CREATE FUNCTION delivery_take_occasion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO delivery_occasion (occasion, delivery_id) VALUES (NEW.occasion, NEW.id) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$
"""
# A row that went to another month would be deleted there and inserted here, and its occasion is taken.
STAY = """
CREATE FUNCTION delivery_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE restrict_violation USING MESSAGE = format('id, local_day and occasion of delivery %s never change', OLD.id);
END $$
"""
# The two halves of a foreign key, as PostgreSQL has them for one table: the key share lock makes whoever would delete
# the delivery wait for whoever refers to it.
EXIST = """
CREATE FUNCTION delivery_exist() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM delivery WHERE id = NEW.delivery_id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation
            USING MESSAGE = format('%s refers to delivery %s, which is not there', TG_TABLE_NAME, NEW.delivery_id);
    END IF;
    RETURN NULL;
END $$
"""
GO = f"""
CREATE FUNCTION delivery_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {" OR ".join(f"EXISTS (SELECT FROM {table} WHERE delivery_id = OLD.id)" for table in REFER)} THEN
        RAISE foreign_key_violation USING MESSAGE = format('delivery %s is still referred to', OLD.id);
    END IF;
    DELETE FROM delivery_occasion WHERE occasion = OLD.occasion;
    RETURN NULL;
END $$
"""  # noqa: S608 - our own table names
TAKES_OCCASION = """
CREATE TRIGGER delivery_takes_occasion BEFORE INSERT ON delivery FOR EACH ROW
WHEN (NEW.occasion IS NOT NULL) EXECUTE FUNCTION delivery_take_occasion()
"""
STAYS = """
CREATE TRIGGER delivery_stays BEFORE UPDATE OF id, local_day, occasion ON delivery FOR EACH ROW
WHEN ((OLD.id, OLD.local_day, OLD.occasion) IS DISTINCT FROM (NEW.id, NEW.local_day, NEW.occasion))
EXECUTE FUNCTION delivery_stay()
"""
GOES = "CREATE TRIGGER delivery_goes AFTER DELETE ON delivery FOR EACH ROW EXECUTE FUNCTION delivery_go()"
EXISTS = """
CREATE TRIGGER {0}_delivery_exists AFTER INSERT OR UPDATE OF delivery_id ON {0} FOR EACH ROW
WHEN (NEW.delivery_id IS NOT NULL) EXECUTE FUNCTION delivery_exist()
"""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in REFER:
        op.drop_constraint(f"fk_{table}_delivery_id_delivery", table, type_="foreignkey")
    op.rename_table("delivery", "delivery_before")
    op.execute("CREATE TABLE delivery (LIKE delivery_before INCLUDING DEFAULTS) PARTITION BY RANGE (local_day)")
    op.execute(MONTH)
    months = op.get_bind().execute(
        sa.text("SELECT DISTINCT date_trunc('month', local_day)::date FROM delivery_before")
    )
    for (month,) in months.fetchall():
        op.get_bind().execute(sa.text("SELECT delivery_month(:month)"), {"month": month})
    _move_rows("delivery_before", ["id", "local_day"], INDEXES)
    op.execute(
        "CREATE TABLE delivery_occasion "
        "(occasion varchar(64) CONSTRAINT pk_delivery_occasion PRIMARY KEY, delivery_id bigint NOT NULL)"
    )
    op.execute("INSERT INTO delivery_occasion SELECT occasion, id FROM delivery WHERE occasion IS NOT NULL")
    for statement in (TAKE_OCCASION, TAKES_OCCASION, STAY, STAYS, GO, GOES, EXIST, *map(EXISTS.format, REFER)):
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in REFER:
        op.execute(f"DROP TRIGGER {table}_delivery_exists ON {table}")
    op.rename_table("delivery", "delivery_months")
    op.execute("CREATE TABLE delivery (LIKE delivery_months INCLUDING DEFAULTS)")
    _move_rows("delivery_months", ["id"], INDEXES | ONE_TABLE_INDEXES)
    for table in REFER:  # refused where a row refers to a month that is detached
        op.create_foreign_key(f"fk_{table}_delivery_id_delivery", table, "delivery", ["delivery_id"], ["id"])
    op.drop_table("delivery_occasion")
    for name in ("month(date)", "take_occasion()", "stay()", "exist()", "go()"):
        op.execute(f"DROP FUNCTION delivery_{name}")


def _move_rows(source: str, key: list[str], indexes: dict[str, tuple[list[str], str | None, bool]]) -> None:
    """Fill the new table from the old one, which goes, and give it its keys: that is quickest afterwards."""
    op.execute(f"INSERT INTO delivery SELECT * FROM {source}")  # noqa: S608 - our own table names
    op.execute("ALTER SEQUENCE delivery_id_seq OWNED BY delivery.id")
    op.drop_table(source)
    op.create_primary_key("pk_delivery", "delivery", key)
    for column, table in POINTS_TO.items():
        op.create_foreign_key(f"fk_delivery_{column}_{table}", "delivery", table, [column], ["id"])
    for name, (columns, where, unique) in indexes.items():
        op.create_index(
            name, "delivery", columns, unique=unique, postgresql_where=None if where is None else sa.text(where)
        )
