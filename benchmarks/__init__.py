"""Side-by-side measurements. ``python -m benchmarks`` prints a table; see docs/project/benchmarks.md."""
