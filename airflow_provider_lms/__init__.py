"""Apache Airflow provider for learning management systems."""

__version__ = "0.1.0"
