"""The live engine: durable-rules in worker processes, within the safe profile.

Source: docs/adr/0006-durable-rules-safe-profile.md.
"""
