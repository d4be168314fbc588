"""The page on which a spreadsheet of families is imported: first what would come of it, then the deed."""

from collections.abc import Sequence

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from babymind.errors import BabyMindError, InvalidInputError
from babymind.services import families, importing
from babymind.services.importing import Sheet
from babymind.web.access import TEAM, open_to
from babymind.web.application import takes
from babymind.web.current import context, staff_id
from babymind.web.errors import status_of

LARGEST_FILE = 2_000_000  # bytes; about twenty thousand rows
MOST_SHOWN = 500  # refusals


@open_to(TEAM)
@takes(3 * LARGEST_FILE)  # the file comes back percent-encoded with the second form
def import_families() -> ResponseReturnValue:
    """Take a file and show what would come of it; on the second form, import what can go in."""
    sheet, error, text = None, None, ""
    if request.method == "POST":
        try:
            text = _text()
            sheet = importing.read(context(), text, study=request.form.get("study") or None,
                                   country=request.form.get("country") or None)  # fmt: skip
            if "import" in request.form:
                return _import(sheet)
        except BabyMindError as refused:
            error = refused
    page = render_template(
        "import.html", studies=families.list_studies(context()), sheet=sheet, error=error, text=text,
        refusals=_shown(sheet), template=importing.TEMPLATE, chosen=request.form,
    )  # fmt: skip
    return page, status_of(error) if error else 200


@open_to(TEAM)
def template() -> ResponseReturnValue:
    """Hand out a spreadsheet to start from."""
    headers = {"Content-Disposition": "attachment; filename=families.csv"}
    return Response(importing.TEMPLATE, content_type="text/csv; charset=utf-8", headers=headers)


def _import(sheet: Sheet) -> ResponseReturnValue:
    imported = importing.load(context(), sheet, actor=f"staff:{staff_id()}")
    left = len({one.line for one in imported.refusals})
    flash(
        f"Enrolled: {_many(imported.caregivers, 'caregiver', 'caregivers')} of "
        f"{_many(imported.families, 'family', 'families')}."
        + (f" {_many(left, 'row was', 'rows were')} left out." if left else "")
    )
    return redirect(url_for("admin.family_list"), 303)


def _many(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _text() -> str:
    """Return the file: as it was sent, or as it comes back with the second form."""
    file = request.files.get("file")
    if file is None or not file.filename:
        said = request.form.get("text", "")
        if not said.strip():
            raise InvalidInputError("Choose a file: a spreadsheet saved as CSV.")
        return said
    with file.stream:  # a large one lies on disk until it is closed
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise InvalidInputError("The file is larger than 2 MB; split it, or import it with: babymind families import")
    try:
        return str(data, "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError("The file is not in UTF-8; save it as 'CSV UTF-8'.") from None


def _shown(sheet: Sheet | None) -> Sequence[importing.Refusal]:
    return sheet.refusals[:MOST_SHOWN] if sheet else []
