"""Who may enter: each staff view names the roles that it is open to, and what names none is open to nobody."""

import time
from collections.abc import Callable
from typing import TypeVar

from flask import abort, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_fresh  # type: ignore[import-untyped]  # ships no types
from flask_security import current_user, logout_user

from babymind.store.staff import StaffRoleName

Roles = frozenset[StaffRoleName]
ALL_STAFF: Roles = frozenset(StaffRoleName)
TEAM: Roles = frozenset(
    {StaffRoleName.REVIEWER, StaffRoleName.LEAD, StaffRoleName.ADMIN}
)  # may see names and replies
LEADS: Roles = frozenset({StaffRoleName.LEAD, StaffRoleName.ADMIN})
SIGNED_IN_SECONDS = 12 * 3600  # since the password was given, however busy somebody is

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])


def open_to(roles: Roles) -> Callable[[View], View]:
    """Say which roles a view is open to."""

    def said(view: View) -> View:
        view.open_to = roles  # type: ignore[attr-defined]  # read by `guard`
        return view

    return said


def guard() -> ResponseReturnValue | None:
    """Stop everybody who has none of the view's roles; the ``before_request`` of a staff blueprint."""
    if not current_user.is_authenticated:
        return _to_sign_in()
    moved = not login_fresh()  # the session came from another browser or address than it was begun in
    if moved or time.time() - float(session.get("fs_paa", 0)) > SIGNED_IN_SECONDS:
        logout_user()
        return _to_sign_in()
    view = current_app.view_functions[request.endpoint or ""]
    if not may(getattr(view, "open_to", frozenset())):
        abort(403)
    return None


def may(roles: Roles) -> bool:
    """Tell whether whoever is signed in has one of some roles.

    A role in one study opens nothing here: these pages show every study.
    """
    held = {role.name for role in getattr(current_user, "roles", []) if role.study_id is None}
    return not roles.isdisjoint(held)


def _to_sign_in() -> ResponseReturnValue:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("security.login", next=wanted))
