"""``make cluster``: a real cluster of Airflow on this machine, parts of which are killed while it works."""
