"""Reading a rule pack: strict YAML and tables, the language of conditions, types.

Source: docs/spec/pack-format.md.
"""
