"""Sensors for each LMS."""
