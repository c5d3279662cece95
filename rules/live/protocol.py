"""What the live engine's parent and its workers must agree on. Imports nothing."""

PLANS_MAX = 8
"""Compiled packs that a worker keeps; parent and worker keep the same account."""

RAN = "ran"
"""The rule of every ruleset that matches the anchor and nothing else."""
