"""What stands in addresses: row numbers, and random tokens."""

import re

from werkzeug.routing import IntegerConverter, Map

# What our own addresses and forms hold; the rest never reaches the database, which knows no NUL.
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")
LARGEST_KEY = 2**63 - 1  # more than this is no row of any database, and an error of the driver


class KeyConverter(IntegerConverter):
    """A row's number: ``<key:reply_id>``."""

    def __init__(self, map: Map) -> None:  # noqa: A002 - the base's name
        super().__init__(map, max=LARGEST_KEY)
