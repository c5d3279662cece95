"""What records, receivables and the chain call the same thing: hashes of subjects."""

from carnet.core.canonical import canonical
from carnet.core.digests import sha256


def listing_hash(listing_id: str, seller_id: str) -> bytes:
    """Return the hash under which log entries and receivables name a listing.

    >>> listing_hash("LST-1", "S-1").hex()[:16]
    'a0551f1d6c481e6a'
    """
    return sha256(canonical({"listing": listing_id, "seller": seller_id}))
