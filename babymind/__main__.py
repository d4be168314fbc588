"""``python -m babymind`` is the ``babymind`` command."""

from babymind.cli import main

main()
