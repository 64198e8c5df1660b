"""Plans for iSpring Learn: enrollments and people."""
