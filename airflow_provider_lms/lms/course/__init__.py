"""Course completion: who must have completed a course, and whether they have."""
