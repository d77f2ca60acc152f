#!/usr/bin/env python
"""Django's command line, in the environment that the command needs."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from drdash import environment


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drdash.settings")
    try:
        environment.prepare(sys.argv[1] if len(sys.argv) > 1 else "")
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as problem:
        sys.exit(f"drdash: {problem}")


if __name__ == "__main__":
    main()
