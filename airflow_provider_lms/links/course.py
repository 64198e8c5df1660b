"""A link from a task to its course in the LMS."""

from __future__ import annotations

from airflow_provider_lms.links.base import PushedLink


class CourseLink(PushedLink):
    """The course in the LMS itself. It is pushed before the task waits."""

    name = "Course"
    what = "course"
    key = "_link_CourseLink"
