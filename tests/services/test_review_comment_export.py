"""A person reads a reply and comments; the comment travels as a delivery; the export tells it without a name."""

import csv
import hashlib
import json
from datetime import date
from pathlib import Path

import pytest
from freezegun import freeze_time

from babymind.channels.memory import MemoryChannel
from babymind.domain.delivery import DeliveryStatus
from babymind.domain.reply import ReplyStatus
from babymind.errors import ConflictError, InvalidInputError, NotFoundError
from babymind.services import accounts, caregivers, comment, content, deliver, export, receive, review, triage
from babymind.services.context import Context
from babymind.store.content import ContentItem, ContentVersion
from babymind.store.deliveries import Delivery
from babymind.store.reviews import Comment
from babymind.store.staff import AuditEvent
from tests.factories import JO, SAM, at_once, change, enrol_family, rows

WORDS = "Zebedee laughed at the washing machine"


@pytest.fixture
def reviewer(ctx: Context) -> int:
    return accounts.add_staff(
        ctx, "Ada@Example.org", "correct horse battery", roles=["reviewer"], hash_password=lambda text: "x" + text[:1]
    )


@pytest.fixture
def reply_id(ctx: Context) -> int:
    """A reply to the prompt of 8 March, at six."""
    with freeze_time("2026-03-08T07:00Z"):
        enrol_family(ctx, name="Persephone", babies=("Zebedee",), research_consent=True)
    with freeze_time("2026-03-08T17:00Z"):
        deliver.deliver_due(ctx)
    with freeze_time("2026-03-08T18:00Z"):
        receive.keep(ctx, "SM1", {"MessageSid": ["SM1"], "From": [SAM], "Body": [WORDS]})
        receive.process_new(ctx)
        triage.triage_new(ctx)
    return 1


@freeze_time("2026-03-08T18:30Z")
def test_the_queue_shows_the_words_the_age_and_the_prompt(ctx: Context, reply_id: int) -> None:
    page = review.queue(ctx)

    [shown] = page.replies
    assert (page.waiting, shown.id, shown.text, shown.caregiver, shown.babies) == (
        1, reply_id, WORDS, "Persephone", "Zebedee",
    )  # fmt: skip
    assert shown.ages == ["5 weeks old"]
    assert shown.prompt


@freeze_time("2026-03-08T18:30Z")
def test_the_queue_turns_its_pages_without_losing_or_repeating_any(ctx: Context, reply_id: int) -> None:
    for number in range(2, 124):
        receive.keep(ctx, f"SM{number}", {"MessageSid": [f"SM{number}"], "From": [SAM], "Body": ["hi"]})
    receive.process_new(ctx)
    triage.triage_new(ctx)

    for waiting_only in (True, False):
        seen: list[int] = []
        after: str | None = None
        while True:
            page = review.queue(ctx, waiting_only=waiting_only, after=after)
            seen += [one.id for one in page.replies]
            after = page.next_after
            if after is None:
                break
        assert sorted(seen) == list(range(1, 124))
        assert seen == sorted(seen, reverse=not waiting_only)


@freeze_time("2026-03-08T18:30Z")
def test_a_comment_reaches_the_phone_and_its_state_is_shown(
    ctx: Context, channel: MemoryChannel, reply_id: int, reviewer: int
) -> None:
    comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text="  He found the drum funny!  ", token="t1")
    deliver.deliver_due(ctx)

    assert channel.sent[-1].text == "He found the drum funny!"
    thread = review.thread(ctx, reply_id, viewer_id=reviewer)
    [shown] = thread.comments
    assert (shown.author, shown.text, shown.state) == (
        "ada", "He found the drum funny!", DeliveryStatus.ACCEPTED,
    )  # fmt: skip
    assert thread.reply.status is ReplyStatus.ANSWERED
    assert "view" in [event.action for event in rows(ctx, AuditEvent)]


@pytest.mark.fault(76)
@freeze_time("2026-03-08T22:30Z")
def test_a_comment_at_night_goes_in_the_morning(
    ctx: Context, channel: MemoryChannel, reply_id: int, reviewer: int
) -> None:
    comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text="Good night", token="t1")
    before = len(channel.sent)
    deliver.deliver_due(ctx)
    assert len(channel.sent) == before

    with freeze_time("2026-03-09T08:00Z"):
        deliver.deliver_due(ctx)
    assert channel.sent[-1].text == "Good night"


@pytest.mark.fault(113)
@freeze_time("2026-03-08T18:30Z")
def test_the_same_form_sent_many_times_is_one_comment(ctx: Context, reply_id: int, reviewer: int) -> None:
    def send() -> int:
        return comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text="Lovely", token="t1")

    assert set(at_once(send, 6)) == {1}
    assert len(rows(ctx, Comment)) == 1
    assert len(rows(ctx, Delivery, occasion="comment:1")) == 1


@pytest.mark.fault(114)
@freeze_time("2026-03-08T18:30Z")
def test_a_comment_that_cannot_be_sent_is_refused(ctx: Context, reply_id: int, reviewer: int) -> None:
    with pytest.raises(InvalidInputError, match="empty"):
        comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text=" \n", token="t1")
    with pytest.raises(InvalidInputError, match="at most 480"):
        comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text="x" * 481, token="t1")
    with pytest.raises(NotFoundError):
        comment.write(ctx, reply_id=99, reviewer_id=reviewer, text="x", token="t1")
    caregivers.stop_by_staff(ctx, 1, actor="staff:1")
    with pytest.raises(ConflictError, match="stopped messages"):
        comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text="x", token="t1")
    assert rows(ctx, Comment) == []
    assert review.queue(ctx).replies[0].stopped


@freeze_time("2026-03-08T18:30Z")
def test_a_reply_can_be_closed_without_an_answer_once(ctx: Context, reply_id: int, reviewer: int) -> None:
    review.close(ctx, reply_id, reviewer_id=reviewer)

    assert review.queue(ctx).replies == []
    with pytest.raises(ConflictError, match="already"):
        review.close(ctx, reply_id, reviewer_id=reviewer)


@freeze_time("2026-03-09T12:00Z")
def test_an_export_tells_what_happened_and_not_to_whom(
    ctx: Context, reply_id: int, reviewer: int, tmp_path: Path
) -> None:
    comment.write(ctx, reply_id=reply_id, reviewer_id=reviewer, text="Giggling at the drum", token="t1")
    deliver.deliver_due(ctx)
    out = tmp_path / "out"

    manifest = export.export(ctx, "demo", out)

    assert manifest["rows"] == {"participants": 1, "deliveries": 4, "replies": 1, "comments": 1}
    bundle = b"".join(path.read_bytes() for path in out.iterdir()).lower()
    for secret in ("persephone", "zebedee", "7700900101", "washing", "giggling", "drum", "2026-02-01"):
        assert secret.encode() not in bundle
    with (out / "replies.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["latency_seconds"], row["n_words"], row["study_day"], row["received_time"]) == (
        "3600", "6", "0", "18:00",
    )  # fmt: skip
    told = json.loads((out / "manifest.json").read_text())
    for name, file in told["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == file["sha256"]


@freeze_time("2026-03-09T12:00Z")
def test_every_column_is_in_the_codebook_and_the_other_way_round(ctx: Context, reply_id: int, tmp_path: Path) -> None:
    export.export(ctx, "demo", tmp_path / "out")

    with (tmp_path / "out" / "codebook.csv").open(newline="") as file:
        declared = [(row["table"], row["column"]) for row in csv.DictReader(file)]
    written = []
    for table in ("participants", "deliveries", "replies", "comments"):
        with (tmp_path / "out" / f"{table}.csv").open(newline="") as file:
            written += [(table, column) for column in next(csv.reader(file))]
    assert declared == written


@pytest.mark.fault(6)
@freeze_time("2026-03-09T12:00Z")
def test_an_export_never_overwrites_and_leaves_nothing_half_written(
    ctx: Context, reply_id: int, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")

    with pytest.raises(ConflictError, match="there already"):
        export.export(ctx, "demo", tmp_path / "full")
    with pytest.raises(NotFoundError, match="no study"):
        export.export(ctx, "nowhere", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("media", "babymind.db")) in (
        ["full"], ["babymind.db-shm", "babymind.db-wal", "full"],
    )  # fmt: skip


@pytest.mark.fault(48)
@freeze_time("2026-03-09T12:00Z")
def test_a_formula_in_a_cell_is_made_harmless(ctx: Context, reply_id: int, tmp_path: Path) -> None:
    change(ctx, ContentItem, rows(ctx, Delivery, kind="fact")[0].item_id or 0, key="=cmd()")

    export.export(ctx, "demo", tmp_path / "out")

    assert ",'=cmd()," in (tmp_path / "out" / "deliveries.csv").read_text()


@freeze_time("2026-03-09T12:00Z")
def test_loading_the_bank_again_changes_nothing_and_an_edit_makes_a_version(ctx: Context) -> None:
    assert content.load(ctx).unchanged == len(rows(ctx, ContentItem))
    version = rows(ctx, ContentVersion)[0]
    change(ctx, ContentVersion, version.id, text="An older wording.")

    loaded = content.load(ctx)

    assert (loaded.new, loaded.changed, loaded.withdrawn) == (0, 1, 0)
    numbers = [(v.number, v.current) for v in rows(ctx, ContentVersion, item_id=version.item_id)]
    assert numbers == [(1, False), (2, True)]


@freeze_time("2026-03-08T07:00Z")
def test_accounts_need_an_address_a_role_and_a_long_password(ctx: Context, reviewer: int) -> None:
    def add(
        email: str = "b@example.org",
        password: str = "correct horse",  # noqa: S107 - a made-up one
        roles: tuple[str, ...] = ("lead",),
    ) -> int:
        return accounts.add_staff(ctx, email, password, roles=roles, hash_password=lambda text: text)

    with pytest.raises(InvalidInputError, match="not an e-mail"):
        add(email="nobody")
    with pytest.raises(InvalidInputError, match="too short"):
        add(password="short")
    with pytest.raises(InvalidInputError, match="roles of"):
        add(roles=("king",))
    with pytest.raises(ConflictError, match="already"):
        add(email="ADA@example.org")
    assert add() > reviewer
    enrol_family(ctx, phone=JO, born_on=date(2026, 3, 1))
