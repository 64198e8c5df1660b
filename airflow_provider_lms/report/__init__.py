"""A report about completions, made from datasets: one HTML file that needs no network."""

from airflow_provider_lms.report.completion import completion_report

__all__ = ["completion_report"]
