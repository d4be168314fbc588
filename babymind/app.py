"""The web application: the rooms' parts put together for one installation."""

from flask import Flask

from babymind.config import Settings
from babymind.services.context import Context
from babymind.web import auth, errors, protection, show
from babymind.web.admin import admin
from babymind.web.current import EXTENSION
from babymind.web.front import front
from babymind.web.health import health
from babymind.web.keys import KeyConverter
from babymind.web.webhooks import webhooks


def create_app(ctx: Context, settings: Settings) -> Flask:
    """Return the application for an installation, ready for a WSGI server."""
    app = Flask("babymind.web")
    app.secret_key = settings.secret_key
    app.extensions[EXTENSION] = ctx
    app.url_map.converters["key"] = KeyConverter
    limiter = protection.install(app, https=settings.public_url.startswith("https://"))
    auth.install(app, ctx.readers, limiter)
    errors.install(app)
    show.install(app)
    for blueprint in (front, health, webhooks, admin):
        app.register_blueprint(blueprint)
    return app
