"""Triggers: waiting for completions in the triggerer."""
