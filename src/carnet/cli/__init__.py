"""The command line: each command parses, calls one service and renders what it returns.

Modules here import nothing heavy at their top, so that ``carnet --help`` starts at once.
"""
