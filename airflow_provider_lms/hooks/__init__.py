"""From an Airflow connection to a client of an LMS."""
