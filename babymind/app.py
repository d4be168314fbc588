"""The web application: the rooms' parts put together for one installation."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from babymind.config import Settings
from babymind.services.context import Context
from babymind.web import auth, errors, protection, show
from babymind.web.admin import admin
from babymind.web.application import Application
from babymind.web.current import EXTENSION
from babymind.web.front import front
from babymind.web.health import health
from babymind.web.keys import KeyConverter
from babymind.web.webhooks import webhooks


def create_app(ctx: Context, settings: Settings) -> Flask:
    """Return the application for an installation, ready for a WSGI server."""
    app = Application("babymind.web")
    app.secret_key = settings.secret_key
    app.extensions[EXTENSION] = ctx
    app.url_map.converters["key"] = KeyConverter
    limiter = protection.install(app, https=settings.public_url.startswith("https://"))
    auth.install(app, ctx.readers, limiter)
    errors.install(app)
    show.install(app)
    if settings.trusted_proxies:  # whom a limit is counted for; host, scheme and path are never taken from a request
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask documents it
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0, x_port=0, x_prefix=0
        )
    for blueprint in (front, health, webhooks, admin):
        app.register_blueprint(blueprint)
    return app
