"""Clients of learning management systems, free of Airflow: usable in a DAG, a service or a notebook."""
