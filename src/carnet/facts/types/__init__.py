"""The models that declare every fact type, one module a topic.

They are the only place where a field is spelled; `carnet.facts.schema` is derived from them.
"""
