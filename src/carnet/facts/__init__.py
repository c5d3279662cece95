"""The vocabulary of facts: typed, flat, frozen, and read from files with every error at once.

`schema` describes the types and is derived from the models in `types`; `fact` holds one fact;
`intake` reads files. Nothing here knows about storage, rules or time.
"""
