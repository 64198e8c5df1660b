"""Records as columns, for files and for Arrow."""
