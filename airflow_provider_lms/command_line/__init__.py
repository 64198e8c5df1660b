"""The command line: ``python -m airflow_provider_lms`` and, from Airflow 3.2 on, ``airflow lms``."""
