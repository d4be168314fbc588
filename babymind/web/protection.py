"""What protects every page: the headers that tell a browser what to refuse, form tokens, limits and cookies."""

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from flask_wtf import CSRFProtect

MAX_BODY_BYTES = 256 * 1024  # the longest message of the provider, percent-encoded, with room
MAX_FORM_PARTS = 200
HSTS = "max-age=31536000; includeSubDomains"
BAD_SIGNATURES = "120 per minute"
_LIMITER = "babymind.limiter"

CONTENT_POLICY = {
    "default-src": "'none'",
    "img-src": "'self'",
    "style-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
PICTURE_POLICY = {"default-src": "'none'", "sandbox": "", "frame-ancestors": "'none'"}
NO_DEVICES = dict.fromkeys(("camera", "microphone", "geolocation", "payment", "usb", "browsing-topics"), "()")

talisman = Talisman()
csrf = CSRFProtect()


def install(app: Flask, *, https: bool) -> Limiter:
    """Protect an application, and return what limits it."""
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=MAX_FORM_PARTS,
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session: a reviewer may think for an hour
        SESSION_COOKIE_NAME="__Host-babymind" if https else "babymind",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    talisman.init_app(
        app,
        force_https=False,  # the proxy's part: behind it every request looks like http
        strict_transport_security=False,  # ours below, for the same reason
        session_cookie_secure=https,
        frame_options="DENY",
        content_security_policy=CONTENT_POLICY,
        permissions_policy=NO_DEVICES,
        referrer_policy="same-origin",
    )
    csrf.init_app(app)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    app.extensions[_LIMITER] = limiter

    @app.after_request
    def finish(response: Response) -> Response:
        if https:
            response.headers["Strict-Transport-Security"] = HSTS
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if not (request.endpoint or "").endswith("static"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return limiter


def count_bad_signature() -> None:
    """Count a webhook call that the provider did not sign; 429 for an address that makes too many."""
    limiter: Limiter = current_app.extensions[_LIMITER]
    with limiter.limit(BAD_SIGNATURES, scope="bad signature"):
        return
