"""The Ethereum node: connection, deployment, anchors and receivables."""

# A second copy under the bare name would register its tables and types twice.
if __name__ != "carnet.chain":
    message = f"import carnet.chain, not {__name__}"
    raise ImportError(message)
