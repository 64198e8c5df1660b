"""Plans for Zoho People's LMS: enrollments."""
