"""Flask, with a short way for the provider's calls: what protects browsers is not run where no browser comes."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

SHORT_WAY = frozenset({"webhooks"})  # blueprints that keep their own door, and have no session, form or account


View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


def takes(max_bytes: int) -> Callable[[View], View]:
    """Say that a view takes a larger form than the others."""

    def said(view: View) -> View:
        view.max_bytes = max_bytes  # type: ignore[attr-defined]  # read below, before anything reads the form
        return view

    return said


class Application(Flask):
    """The web application; a webhook call would spend a sixth of its time on form tokens, accounts and limits."""

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Run what comes before a view; on the short way only the blueprint's own door."""
        if request.blueprint not in SHORT_WAY:
            most = getattr(self.view_functions.get(request.endpoint or ""), "max_bytes", None)
            if most is not None:
                request.max_content_length = request.max_form_memory_size = most
            return super().preprocess_request()
        for door in self.before_request_funcs[request.blueprint]:
            refusal: ResponseReturnValue | None = self.ensure_sync(door)()
            if refusal is not None:
                return refusal
        return None

    def process_response(self, response: Response) -> Response:
        """Run what comes after a view; on the short way there is no page to protect and no session to keep."""
        if request.blueprint not in SHORT_WAY:
            return super().process_response(response)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response
