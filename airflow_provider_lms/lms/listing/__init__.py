"""Listings: how they are declared, paged, decoded and read."""
