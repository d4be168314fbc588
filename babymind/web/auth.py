"""Signing in: Flask-Security over our accounts, with nothing of it but the password, the session and the way out."""

import unicodedata
from datetime import timedelta
from typing import Any, Final

from argon2 import PasswordHasher
from flask import Flask, g, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_security import (
    LoginForm,
    MailUtil,
    Security,
    SQLAlchemySessionUserDatastore,
    UserDatastore,
    UserMixin,
    user_authenticated,
)
from flask_security.forms import EmailValidation
from flask_security.mail_util import EmailValidateException
from flask_security.utils import validate_redirect_url
from wtforms import EmailField, HiddenField, PasswordField, SubmitField
from wtforms.validators import DataRequired, Length

from babymind.store.base import Sessions
from babymind.store.staff import Staff, StaffRole
from babymind.web.access import SIGNED_IN_SECONDS

NORMAL_FORM: Final = "NFKD"
# RFC 9106, the second recommended option (64 MiB), with one lane for each of few processors.
HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=2)
LONGEST_PASSWORD = 1000
# Only failures count. An account's limit is the strict one; an address may be a whole office behind one router.
FAILURES_PER_ACCOUNT = "10 per 15 minutes"
FAILURES_PER_ADDRESS = "60 per 15 minutes"


def hash_password(text: str) -> str:
    """Return a password as an account keeps it (Argon2id)."""
    return HASHER.hash(unicodedata.normalize(NORMAL_FORM, text))


class StaffDatastore(UserDatastore):
    """Accounts as Flask-Security asks for them: one short look each, no session kept, nothing written."""

    def __init__(self, readers: Sessions) -> None:
        super().__init__(Staff, StaffRole)
        self._readers = readers

    def find_user(self, case_insensitive: bool = False, **identity: Any) -> UserMixin | None:
        """Return the account with an identity, its roles loaded, or None."""
        with self._readers.begin() as looking:
            accounts = SQLAlchemySessionUserDatastore(looking, Staff, StaffRole)  # type: ignore[arg-type]
            return accounts.find_user(case_insensitive, **identity)

    def find_role(self, role: str) -> None:
        """Roles belong to an account; there is none by itself."""

    def put(self, model: Any) -> Any:
        """Write nothing: accounts change through ``services.accounts``."""
        return model

    def commit(self) -> None:
        """There is nothing to commit."""


class PlainAddress(MailUtil):
    """E-mail addresses as ``services.accounts`` keeps them; the installation's own domain may be any."""

    def normalize(self, email: str) -> str:
        """Return an address as it is looked up."""
        address = email.strip().casefold()
        if "@" not in address or not address.isprintable():
            raise EmailValidateException("This is not an e-mail address.")
        return address


class SignInForm(LoginForm):
    """Address and password; nobody is remembered longer than the session."""

    email = EmailField(
        "E-mail address", [DataRequired("Give your e-mail address."), Length(max=255), EmailValidation(verify=False)]
    )
    password = PasswordField("Password", [DataRequired("Give your password."), Length(max=LONGEST_PASSWORD)])
    remember = None
    submit = SubmitField("Sign in")

    def validate_next(self, field: HiddenField) -> None:
        """Forget a place to go to that is not ours; the person still gets in."""
        if field.data and not validate_redirect_url(field.data):
            field.data = ""


def install(app: Flask, readers: Sessions, limiter: Limiter) -> None:
    """Add signing in and out to the application, after its CSRF protection."""
    app.config.update(
        SECURITY_LOGIN_URL="/staff/login",
        SECURITY_LOGOUT_URL="/staff/logout",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_POST_LOGIN_VIEW="/staff/",
        SECURITY_POST_LOGOUT_VIEW="/staff/login",
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 - the name of an algorithm
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_PASSWORD_NORMALIZE_FORM=NORMAL_FORM,
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={
            "argon2__time_cost": HASHER.time_cost,
            "argon2__memory_cost": HASHER.memory_cost,
            "argon2__parallelism": HASHER.parallelism,
            "argon2__type": "ID",
        },
        SECURITY_USER_IDENTITY_ATTRIBUTES=[{"email": {"mapper": str.casefold, "case_insensitive": False}}],
        SECURITY_RETURN_GENERIC_RESPONSES=True,  # the same words and the same time, whether the account exists or not
        SECURITY_MSG_GENERIC_AUTHN_FAILED=("This address and password do not belong together.", "error"),
        SECURITY_FLASH_MESSAGES=False,
        SECURITY_FRESHNESS=timedelta(seconds=-1),  # no page that asks for the password again
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_STATIC_FOLDER=None,
        SECURITY_CLI_USERS_NAME=None,
        SECURITY_CLI_ROLES_NAME=None,
        SECURITY_CACHE_CONTROL=None,  # ours is in `protection`
        SESSION_PROTECTION="basic",  # notes a change of browser or address; `access.guard` then asks to sign in anew
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=SIGNED_IN_SECONDS),
    )
    security = Security(app, StaffDatastore(readers), login_form=SignInForm, mail_util_cls=PlainAddress)
    security.principal.identity_loaders.clear()  # else every request, webhooks too, would look for an account
    app.login_manager.request_loader(None)  # type: ignore[attr-defined]  # no tokens in headers or addresses
    user_authenticated.connect(_begin_anew, app)
    _limit(app, limiter)


def _begin_anew(_app: Flask, **_about: object) -> None:
    """Give whoever signs in a form token that nobody can have known before."""
    session.pop("csrf_token", None)
    g.pop("csrf_token", None)


def _limit(app: Flask, limiter: Limiter) -> None:
    def failed(response: Any) -> bool:
        return bool(response.status_code != 302)

    def account() -> str:
        return request.form.get("email", "").strip().casefold()[:255] or "nobody"

    view: Any = app.view_functions["security.login"]
    for limit, key in ((FAILURES_PER_ACCOUNT, account), (FAILURES_PER_ADDRESS, get_remote_address)):
        view = limiter.limit(
            limit, key_func=key, methods=["POST"], deduct_when=failed, scope=key.__name__, override_defaults=False
        )(view)
    app.view_functions["security.login"] = view
