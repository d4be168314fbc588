"""What a WSGI server loads: ``gunicorn wsgi:app``."""

from babymind.app import create_app
from babymind.bootstrap import build, set_up_logging
from babymind.config import Settings

settings = Settings.read()
set_up_logging(settings.log_format)
app = create_app(build(settings), settings)
