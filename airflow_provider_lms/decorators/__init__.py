"""Task decorators: functions that get a client of an LMS."""
