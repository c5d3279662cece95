"""What is wrong or doubtful in a rule pack that can be read: one module for each analysis.

`inspect.py` runs them all; `report.py` holds what they return.

Source: docs/spec/pack-format.md, section 10.
"""
