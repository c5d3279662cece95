"""The static verify page: one file with which a browser verifies bundles, offline.

It is written by ``tools/verify_page.py`` from ``web/verify`` and is part of the package.
"""

from functools import lru_cache
from importlib.resources import files

from carnet.core.digests import sha256

PAGE_FILE = "verify.html"


@lru_cache(maxsize=1)
def verify_page() -> bytes:
    """Return the bytes of the page."""
    return (files("carnet.ledger") / "pages" / PAGE_FILE).read_bytes()


def page_digest() -> bytes:
    """Return the SHA-256 of the page, with which a saved copy is compared."""
    return sha256(verify_page())
