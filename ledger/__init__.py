"""Signed records, the Merkle log that holds them, and their verification."""

# A second copy under the bare name would register its tables and types twice.
if __name__ != "carnet.ledger":
    message = f"import carnet.ledger, not {__name__}"
    raise ImportError(message)
