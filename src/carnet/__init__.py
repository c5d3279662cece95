"""Carnet: compliance decisions, verifiable records and receivables that repay themselves."""

__version__ = "0.1.0"
