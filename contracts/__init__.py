"""Solidity sources, their compiled interfaces, and the arithmetic they follow."""

# A second copy under the bare name would register its tables and types twice.
if __name__ != "carnet.contracts":
    message = f"import carnet.contracts, not {__name__}"
    raise ImportError(message)
