"""``python -m airflow_provider_lms``."""

from __future__ import annotations

import sys

from airflow_provider_lms.command_line.commands import main

if __name__ == "__main__":
    sys.exit(main())
