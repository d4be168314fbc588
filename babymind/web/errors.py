"""Errors at the edge: the only module that knows HTTP codes. A person gets a sentence, a machine a word."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from babymind.errors import BabyMindError, ConflictError, InvalidInputError, NoRoomError, NotFoundError
from babymind.services.health import is_unavailable

log = structlog.get_logger()

STATUS: dict[type[BabyMindError], int] = {
    NotFoundError: 404,
    ConflictError: 409,
    InvalidInputError: 422,
    NoRoomError: 503,
}
SENTENCES = {
    400: "Your browser sent something that we could not read. Go back, load the page again and try once more.",
    403: "Your account may not open this page. Ask whoever runs this service for the role that it needs.",
    404: "There is no such page.",
    405: "This page cannot be used that way.",
    413: "What you sent is too large.",
    429: "Too many tries. Wait a quarter of an hour, then try again.",
    500: "Something went wrong on our side. It has been written down; try again in a moment.",
    503: "The database does not answer just now. Nothing is lost; try again in a moment.",
}
OUT_OF_DATE = "This page was open for too long. Go back, load it again and send once more what you wrote."
MACHINES = frozenset({"webhooks", "health"})


def install(app: Flask) -> None:
    """Show every error in our own words."""
    app.register_error_handler(BabyMindError, show_error)
    app.register_error_handler(CSRFError, show_out_of_date)
    app.register_error_handler(HTTPException, show_http_error)
    app.register_error_handler(Exception, show_failure)


def status_of(error: BabyMindError) -> int:
    """Return the HTTP code of one of our errors."""
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)


def show_error(error: BabyMindError) -> ResponseReturnValue:
    """Answer one of our errors; its text is safe to show."""
    return _answer(status_of(error), str(error))


def show_out_of_date(_error: CSRFError) -> ResponseReturnValue:
    """Answer a form without its token."""
    return _answer(400, OUT_OF_DATE)


def show_http_error(error: HTTPException) -> ResponseReturnValue:
    """Answer what Flask refused by itself."""
    if error.code is None or error.code < 400:
        return error.get_response()
    response = _answer(error.code, SENTENCES.get(error.code, SENTENCES[400 if error.code < 500 else 500]))
    allowed = error.get_response().headers.get("Allow")
    if allowed:
        response.headers["Allow"] = allowed
    return response


def show_failure(error: Exception) -> ResponseReturnValue:
    """Answer what nobody expected: 503 when the database is away, else 500; the log has the rest."""
    if is_unavailable(error):
        log.warning(
            "database unavailable", endpoint=request.endpoint, said=str(getattr(error, "orig", None) or type(error))
        )
        return _answer(503, SENTENCES[503])
    log.error("request failed", endpoint=request.endpoint, exc_info=error)
    return _answer(500, SENTENCES[500])


def _answer(status: int, sentence: str) -> Response:
    if request.blueprint in MACHINES:
        return Response(f"{HTTPStatus(status).phrase}\n", status, content_type="text/plain; charset=utf-8")
    # Not `render_template`, which would look for who is signed in, in a database that may be away.
    page = current_app.jinja_env.get_template("error.html").render(sentence=sentence, status=status)
    return Response(page, status)
