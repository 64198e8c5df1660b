"""The connection types: one file for each LMS. Imports nothing of Airflow, so that discovery costs nothing."""
