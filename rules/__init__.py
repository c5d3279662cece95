"""Rule packs and the evaluators that decide a case by them."""

# A second copy under the bare name would register its tables and types twice.
if __name__ != "carnet.rules":
    message = f"import carnet.rules, not {__name__}"
    raise ImportError(message)
