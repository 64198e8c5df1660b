"""Brings people and enrollments of an LMS into a desired state: by a plan that is shown before it is applied.

A plan compares the desired state with the LMS and lists the changes (:mod:`~airflow_provider_lms.sync.plan`). Applying
it reads each person's state again, sends only what is still missing, and reads back what came of it
(:mod:`~airflow_provider_lms.sync.apply`). Nothing in the modules of this folder knows an LMS; its subfolders do.
"""
