"""The commands of the content bank, as a person or a program runs them."""

import io
import json
import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from babymind.clock import clock_at
from babymind.library.commands import content_group
from babymind.library.values import THEMES

from .conftest import Bank

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TEXTS = ["Some babies turn to a voice.", "Many newborns know a smell <from> before birth."]


def run(*words: object) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(content_group, [str(word) for word in words])


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Stand still while the signposts are fresh."""
    with clock_at(NOW):
        yield


@pytest.fixture
def root(bank: Bank) -> Path:
    """Return a small bank with a few days."""
    bank.fact(day=0, text=TEXTS[0])
    bank.fact(day=1, text=TEXTS[1])
    bank.prompt(day=0)
    bank.prompt(stage="early", day=0, text="Who might {baby} be listening to?")
    bank.prompt(stage="antenatal", day=-84, text="What might {baby} hear?")
    bank.message(text="Hello from {service}.", values=["service"])
    return bank.write()


def test_the_real_bank_passes_and_its_days_are_counted() -> None:
    done = run("check", "--json")

    document = json.loads(done.output)
    assert document["findings"] == []
    assert document["counts"]["facts"] == {"antenatal": 84, "overdue": 22, "early": 126, "infant": 366}
    assert document["counts"]["prompts"] == document["counts"]["facts"]
    assert done.exit_code == 0


def test_a_bank_with_findings_is_refused_with_exit_code_1(root: Path) -> None:
    done = run("check", "--content", root, "--json")

    document = json.loads(done.output)
    assert done.exit_code == 1
    assert set(document) == {"counts", "findings"}
    assert set(document["findings"][0]) == {"file", "line", "item", "rule", "message"}


def test_a_check_without_its_libraries_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "babymind.library.check", raising=False)
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    monkeypatch.delitem(sys.modules, "babymind.library.schemas", raising=False)

    done = run("check", "--content", root)

    assert done.exit_code == 1
    assert "pip install 'babymind[content]'" in done.output


def test_findings_for_people_begin_with_file_and_line(root: Path) -> None:
    done = run("check", "--content", root)

    assert done.exit_code == 1
    assert (
        "content/facts/en-GB:1: [day-missing] No fact for infant days 2 to 365; write one for each day."
        in done.output
    )
    assert "facts: antenatal 0, overdue 0, early 0, infant 2" in done.output


def test_coverage_of_the_real_bank_has_no_gap() -> None:
    done = run("coverage", "--json")

    assert json.loads(done.output) == {"gaps": [], "days": 598}
    assert done.exit_code == 0
    assert run("coverage").output.endswith("\n598 days, 0 gaps\n")


def test_gaps_are_refused_told_and_drawn(root: Path, tmp_path: Path) -> None:
    picture = tmp_path / "coverage.svg"

    done = run("coverage", "--content", root, "--svg", picture)
    for_programs = run("coverage", "--content", root, "--json")

    document = json.loads(for_programs.output)
    assert (done.exit_code, for_programs.exit_code) == (1, 1)
    assert "gap: no fact for infant days 2 to 365\n" in done.output
    assert "gap: no prompt for infant days 1 to 365\n" in done.output
    assert done.output.endswith("598 days, 1191 gaps; every day needs a fact and a prompt\n")
    assert {"locale": "en-GB", "slot": "prompt", "stage": "infant", "day": 1} in document["gaps"]
    assert set(document) == {"gaps", "days"}
    assert len(document["gaps"]) == 2 * 598 - 5
    drawing = ET.parse(picture).getroot()  # noqa: S314 - our own file
    assert drawing.findtext("{http://www.w3.org/2000/svg}title") == (
        "What the content bank covers, en-GB: 598 days, 1191 gaps"
    )
    assert "#b3123a" in picture.read_text(encoding="utf-8")


def test_the_picture_names_every_row_stage_and_colour(tmp_path: Path) -> None:
    run("coverage", "--svg", tmp_path / "coverage.svg")

    drawing = ET.parse(tmp_path / "coverage.svg").getroot()  # noqa: S314 - our own file
    words = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"facts", "prompts", *THEMES} <= {*words}
    assert {"antenatal", "weeks of pregnancy", "overdue", "early", "infant", "months old"} <= {*words}
    assert {"a fact", "a prompt", "a day with nothing"} <= {*words}
    assert words.count("598 of 598") == 2
    width = float(drawing.attrib["width"])
    assert all(0 <= float(text.attrib["x"]) < width for text in drawing.iter("{http://www.w3.org/2000/svg}text"))


def preview(*words: object) -> list[dict[str, Any]]:
    """Return what a preview of the real bank prints for a program."""
    done = run("preview", *words, "--json")
    assert done.exit_code == 0, done.output
    shown: list[dict[str, Any]] = json.loads(done.output)
    return shown


def test_a_preview_follows_a_term_baby_from_birth() -> None:
    shown = preview("--birth-date", "2026-03-08", "--names", "Robin")

    assert len(shown) == 28
    assert [(text["local_day"], text["stage"], text["age_day"], text["slot"]) for text in shown[:3]] == [
        ("2026-03-08", "infant", 0, "fact"),
        ("2026-03-08", "infant", 0, "prompt"),
        ("2026-03-09", "infant", 1, "fact"),
    ]
    assert all(text["segments"] in (1, 2) for text in shown)
    assert shown[0]["sources"]


def test_a_preview_follows_an_early_baby_by_corrected_age() -> None:
    shown = preview("--birth-date", "2026-03-08", "--gestation", "31+2", "--from", "2026-05-07", "--days", "2")

    assert [(text["stage"], text["age_day"]) for text in shown[::2]] == [("early", 60), ("infant", 0)]


def test_a_preview_of_an_expected_baby_begins_at_28_weeks() -> None:
    assert preview("--due-date", "2026-06-01", "--days", "1")[0]["age_day"] == -84


@pytest.mark.fault(110)
def test_twins_are_named_together() -> None:
    named = preview("--birth-date", "2026-03-08", "--days", "60", "--names", "Ada, Ben")
    unnamed = preview("--birth-date", "2026-03-08", "--days", "60", "--babies", "2")

    assert any("Ada and Ben" in text["text"] for text in named)
    assert any("our babies" in text["text"] for text in unnamed)


def test_a_year_repeats_no_text_within_ninety_days() -> None:
    for born in (["--gestation", "40+0"], ["--gestation", "31+0"], ["--gestation", "41+5"]):
        shown = preview("--birth-date", "2026-03-08", *born, "--from", "2025-12-01", "--days", "520")
        last: dict[str, int] = {}
        for index, text in enumerate(shown):
            assert index - last.get(text["text"], -1000) > 2 * 90
            last[text["text"]] = index


def test_a_phone_is_drawn_for_people(root: Path, tmp_path: Path) -> None:
    page = tmp_path / "phone.html"

    done = run("preview", "--content", root, "--birth-date", "2026-03-08", "--days", "2", "--html", page)

    assert "Sun 8 March 2026 - born today" in done.output
    assert "fact-infant-text-0 - 1 SMS segment, 28 characters - hedged1999" in done.output
    assert "(there is no prompt for this day)" in done.output
    shown = page.read_text(encoding="utf-8")
    assert "a smell &lt;from&gt; before" in shown
    assert "Text messages for your baby" in shown
    assert "1 SMS, 28 characters" in shown
    assert "<summary>hedged1999</summary>" in shown
    assert "Babies turned to a voice they knew." in shown
    assert "There is no prompt for this day." in shown


def test_days_on_which_nothing_is_due_show_nothing() -> None:
    done = run("preview", "--birth-date", "2026-03-08", "--from", "2028-01-01")

    assert (done.exit_code, done.output) == (0, "Nothing is due on these days.\n")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["preview"], 2, "Give --birth-date or --due-date"),
        (["preview", "--birth-date", "8 March"], 2, "does not match the format"),
        (["preview", "--birth-date", "2026-03-08", "--gestation", "31+9"], 2, "not a gestation"),
        (["preview", "--birth-date", "2026-03-08", "--due-date", "2026-12-08"], 1, "between 22+0 and 44+0 weeks"),
        (["check", "--content", "/nowhere"], 2, "does not exist"),
        (["review-pack"], 2, "--out"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(words: list[str], code: int, why: str) -> None:
    done = run(*words)

    assert done.exit_code == code
    assert why in done.output


def test_a_bank_that_cannot_be_read_is_refused_in_a_sentence(root: Path) -> None:
    (root / "sources.yaml").write_text("sources: 3\n", encoding="utf-8")

    done = run("coverage", "--content", root)

    assert (done.exit_code, done.output) == (
        1,
        "Error: content/sources.yaml:1: [format] 'sources' is a list: one line each with '- ', or [a, b].\n",
    )


def test_the_review_pack_has_every_text_with_its_sources_and_boxes(tmp_path: Path) -> None:
    out = tmp_path / "pack.html"

    done = run("review-pack", "--out", out)

    page = out.read_text(encoding="utf-8")
    assert done.exit_code == 0
    assert page.count('class="text"') >= 2 * 598
    assert page.count('class="box"') >= 3 * 2 * 598
    assert "decasper1980" in page
    assert "[reading hours]" in page
    assert page.count(">Change:<") >= 2 * 598
    assert "<td>28+0 weeks of pregnancy to 31+6 weeks of pregnancy</td>" in page


def test_the_review_pack_escapes_and_says_what_is_missing(root: Path, tmp_path: Path) -> None:
    run("review-pack", "--content", root, "--out", tmp_path / "pack.html")

    page = (tmp_path / "pack.html").read_text(encoding="utf-8")
    assert "a smell &lt;from&gt; before" in page
    assert "There is no text for this day." in page


def git_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a stand-in for git on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    git = folder / "git"
    git.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def archived(root: Path, to: Path) -> Path:
    """Return a tar file of a folder, as git makes one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(root, arcname=".")
    to.write_bytes(buffer.getvalue())
    return to


def test_a_diff_tells_what_reviewers_have_to_read(
    bank: Bank, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_that(tmp_path, monkeypatch, f"cat {archived(root, tmp_path / 'then.tar')}")
    facts = bank.items["fact", "infant"]
    facts[0]["text"] = "Some babies may turn to a voice."
    facts[1]["withdrawn"] = True
    bank.fact(day=2, text="Some songs may be known.")
    del bank.items["prompt", "early"][0]
    bank.signposts = []
    bank.write()

    done = run("diff", "HEAD~1", "--content", root)
    document = json.loads(run("diff", "HEAD~1", "--content", root, "--json").output)

    assert [(change["change"], change["item"]) for change in document] == [
        ("changed", "fact-infant-text-0"),
        ("withdrawn", "fact-infant-text-1"),
        ("added", "fact-infant-text-2"),
        ("removed", "prompt-early-text-0"),
    ]
    assert document[0]["fields"] == {
        "text": {"before": "Some babies turn to a voice.", "after": "Some babies may turn to a voice."}
    }
    assert "  - text: Some babies turn to a voice.\n  + text: Some babies may turn to a voice.\n" in done.output
    assert done.output.endswith("4 texts differ from HEAD~1\n")


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, as an editor with a name would."""
    editor = ["-c", "user.name=An Editor", "-c", "user.email=editor@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *editor, *words], check=True, capture_output=True)  # noqa: S603, S607 - our own words; git as on the path


@pytest.fixture
def repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the small bank under a real git, in a repository that holds more than the bank; return the bank."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # a hook that runs the tests would point git at its own repository
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (root.parent / "README.md").write_text("Not about the bank.\n", encoding="utf-8")
    git(root.parent, "init", "--quiet", "--initial-branch", "main")
    git(root.parent, "add", "--all")
    git(root.parent, "commit", "--quiet", "--message", "content: the first texts")
    git(root.parent, "tag", "reviewed")
    return root


def test_a_diff_with_a_real_git_shows_what_was_added_changed_and_withdrawn(bank: Bank, repository: Path) -> None:
    bank.items["fact", "infant"][0]["text"] = "Some babies may turn to a voice."
    bank.items["fact", "infant"][1]["withdrawn"] = True
    bank.write()
    git(repository.parent, "commit", "--quiet", "--all", "--message", "content: one text milder, one withdrawn")
    bank.fact(day=2, text="Some songs may be known.")  # not committed yet
    bank.write()

    since_review = json.loads(run("diff", "reviewed", "--content", repository, "--json").output)
    since_commit = run("diff", "HEAD", "--content", repository)
    same = run("diff", "HEAD~1", "--content", repository, "--json").output

    assert [(change["change"], change["item"]) for change in since_review] == [
        ("changed", "fact-infant-text-0"),
        ("withdrawn", "fact-infant-text-1"),
        ("added", "fact-infant-text-2"),
    ]
    assert since_review[0]["fields"] == {"text": {"before": TEXTS[0], "after": "Some babies may turn to a voice."}}
    assert since_review[2]["file"] == "content/facts/en-GB/infant.yaml"
    assert json.loads(same) == since_review
    assert since_commit.output.startswith("added: fact-infant-text-2 (content/facts/en-GB/infant.yaml:")
    assert "  + text: Some songs may be known.\n" in since_commit.output
    assert since_commit.output.endswith("1 text differs from HEAD\n")


def test_a_diff_with_a_real_git_refuses_a_revision_that_is_not_there(repository: Path) -> None:
    done = run("diff", "v9", "--content", repository)

    assert done.exit_code == 1
    assert "git cannot show content/ at 'v9'" in done.output


def test_a_diff_of_a_bank_that_cannot_be_read_is_refused(repository: Path) -> None:
    (repository / "facts/en-GB/infant.yaml").write_text("kind: fact\n", encoding="utf-8")

    done = run("diff", "HEAD", "--content", repository)

    assert done.exit_code == 1
    assert "content/facts/en-GB/infant.yaml:1: [format]" in done.output


@pytest.mark.parametrize(
    ("revision", "script", "why"),
    [
        ("v9", "echo 'fatal: not a valid object name: v9' >&2; exit 128", "not a valid object name"),
        ("--output=x", "exit 0", "is not a revision"),
    ],
)
def test_a_revision_that_git_does_not_know_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str, script: str, why: str
) -> None:
    git_that(tmp_path, monkeypatch, script)

    done = run("diff", "--content", root, "--", revision)

    assert done.exit_code == 1
    assert why in done.output


def test_a_diff_needs_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert "git is not installed" in run("diff", "HEAD", "--content", root).output


@pytest.mark.parametrize("command", sorted(content_group.commands))
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = run(command, "--help")

    assert done.exit_code == 0
    assert f"Example: babymind content {command}" in done.output
