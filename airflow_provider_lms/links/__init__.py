"""Links from the UI to the LMS."""
