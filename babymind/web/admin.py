"""The staff pages: today, the queue of replies, the thread of one, what is to be done, the families, the ledger."""

import re
import secrets
from datetime import timedelta

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from babymind.clock import utc_now
from babymind.errors import BabyMindError, ConflictError, InvalidInputError
from babymind.services import comment, enrol, families, ledger, receive, review, tasks
from babymind.services import today as day
from babymind.web import family, importing
from babymind.web import ledger as ledger_lines
from babymind.web.access import ALL_STAFF, TEAM, guard, open_to
from babymind.web.current import context, staff_id
from babymind.web.deliveries import deliveries
from babymind.web.errors import status_of
from babymind.web.forms import ZONES, EnrolForm
from babymind.web.keys import TOKEN
from babymind.web.protection import PICTURE_POLICY, talisman

admin = Blueprint("admin", __name__, url_prefix="/staff")
admin.before_request(guard)  # each view says whom it lets in
admin.register_blueprint(family.changes)
admin.register_blueprint(deliveries)
admin.add_url_rule("/families/<study_code>", "family", family.page)
admin.add_url_rule("/families/import", "import_families", importing.import_families, methods=["GET", "POST"])
admin.add_url_rule("/families/import/template.csv", "import_template", importing.template)

PICTURE_KINDS = frozenset({"image/jpeg", "image/png"})
PLACE = re.compile(r"[0-9]{1,11}\.[0-9]{6}_[0-9]{1,18}")


@admin.get("/")
@open_to(ALL_STAFF)
def today() -> ResponseReturnValue:
    """Show what waits, and how far the day's deliveries have got."""
    return render_template("today.html", overview=day.overview(context()))


@admin.get("/replies")
@open_to(TEAM)
def replies() -> ResponseReturnValue:
    """Show the queue: the replies that wait, oldest first; or all, newest first."""
    everything = request.args.get("show") == "all"
    after = request.args.get("after") or None
    if after and not PLACE.fullmatch(after):
        abort(404)
    queue = review.queue(context(), waiting_only=not everything, after=after)
    return render_template("replies.html", queue=queue, everything=everything, first=not after)


@admin.get("/replies/<key:reply_id>")
@open_to(TEAM)
def thread(reply_id: int) -> ResponseReturnValue:
    """Show a reply with its pictures, its prompt, the comments on it, and the diary before it."""
    return _show_thread(reply_id)


@admin.post("/replies/<key:reply_id>/comments")
@open_to(TEAM)
def add_comment(reply_id: int) -> ResponseReturnValue:
    """Answer a reply."""
    text, token = request.form.get("text", ""), request.form.get("token", "")
    knows = {name: bool(request.form.get(name)) for name in ("knows_of_loss", "knows_of_hold")}
    if not TOKEN.fullmatch(token):
        token = ""  # the service says that the form is out of date
    try:
        comment.write(context(), reply_id=reply_id, reviewer_id=staff_id(), text=text, token=token, **knows)
    except (InvalidInputError, ConflictError) as error:
        shown = _show_thread(
            reply_id,
            error=error,
            typed=text,
            token=token,
            knows=any(knows.values()),
            unconfirmed=isinstance(error, comment.NotAwareError),
        )
        return shown, status_of(error)
    flash("Your comment is saved; below it stands how far it has got.")
    return redirect(url_for(".thread", reply_id=reply_id, _anchor="comments"), 303)


@admin.post("/replies/<key:reply_id>/close")
@open_to(TEAM)
def close(reply_id: int) -> ResponseReturnValue:
    """Say that a reply needs no answer."""
    try:
        review.close(context(), reply_id, reviewer_id=staff_id())
    except ConflictError as error:
        return _show_thread(reply_id, error=error), status_of(error)
    flash("The reply is done; it needed no answer.")
    return redirect(url_for(".replies"), 303)


@admin.get("/pictures/<token>")
@open_to(TEAM)
@talisman(content_security_policy=PICTURE_POLICY)  # type: ignore[untyped-decorator]  # the library ships no types
def picture(token: str) -> ResponseReturnValue:
    """Show a picture of a reply."""
    if not TOKEN.fullmatch(token):
        abort(404)
    data, kind = receive.picture(context(), token)
    if kind not in PICTURE_KINDS:
        abort(404)
    return Response(data, content_type=kind, headers={"Cache-Control": "private, no-store"})


@admin.get("/families")
@open_to(TEAM)
def family_list() -> ResponseReturnValue:
    """Show the families, newest first."""
    return render_template("families.html", families=families.list_families(context()))


@admin.route("/families/new", methods=["GET", "POST"])
@open_to(TEAM)
def new_family() -> ResponseReturnValue:
    """Enrol a family, or show the form with what was typed and what is wrong with it."""
    studies = families.list_studies(context())
    form, error = EnrolForm(), None
    form.offer(studies)
    if form.validate_on_submit():
        try:
            enrolled = enrol.enrol(context(), form.family(), actor=f"staff:{staff_id()}")
        except BabyMindError as refused:
            error = refused
        else:
            flash(f"The family is enrolled; its study code is {enrolled.study_code}.")
            return redirect(url_for(".family", study_code=enrolled.study_code), 303)
    page = render_template("enrol.html", form=form, error=error, studies=studies, zones=ZONES)
    return page, (status_of(error) if error else 422 if form.errors else 200)


@admin.get("/tasks")
@open_to(TEAM)
def task_list() -> ResponseReturnValue:
    """Show what a person has to do, and what has waited longest first."""
    return _show_tasks()


@admin.post("/tasks/<key:task_id>/done")
@open_to(TEAM)
def finish_task(task_id: int) -> ResponseReturnValue:
    """Say what was done about a task."""
    outcome = request.form.get("outcome", "")
    try:
        tasks.finish(context(), task_id, outcome, f"staff:{staff_id()}")
    except (InvalidInputError, ConflictError) as error:
        return _show_tasks(error=error, about=task_id, typed=outcome), status_of(error)
    flash("The task is done; what you wrote stays in the history.")
    return redirect(url_for(".task_list"), 303)


@admin.get("/ledger")
@open_to(ALL_STAFF)
def ledger_of_day() -> ResponseReturnValue:
    """Show what was due on a day against what became of it. Only counts: anybody of the team may see it."""
    today = utc_now().date()
    on = ledger_lines.parse_day(request.args["day"]) if request.args.get("day") else today
    if on is None:
        abort(404)
    found = ledger.of_day(context(), on)
    return render_template(
        "ledger.html",
        ledger=found,
        lines=ledger_lines.lines(found),
        bar=ledger_lines.BAR,
        before=on - timedelta(days=1),
        after=on + timedelta(days=1) if on <= today else None,  # in the east it may be tomorrow already
    )


def _show_tasks(*, error: BabyMindError | None = None, about: int = 0, typed: str = "") -> str:
    return render_template(
        "tasks.html",
        tasks=tasks.list_open(context()),
        most=tasks.MOST,
        longest=tasks.LONGEST_OUTCOME,
        error=error,
        about=about,
        typed=typed,
    )


def _show_thread(reply_id: int, *, error: BabyMindError | None = None, typed: str = "", token: str = "",
                 knows: bool = False, unconfirmed: bool = False) -> str:  # fmt: skip
    return render_template(
        "thread.html",
        thread=review.thread(context(), reply_id, viewer_id=staff_id()),
        longest=comment.LONGEST,
        error=error,
        typed=typed,
        token=token or secrets.token_urlsafe(16),  # the same form sent twice is one comment
        knows=knows,
        unconfirmed=unconfirmed,  # of a family that has told us of a loss, or whose messages are held
    )
