"""Base64url without padding, in its one spelling (RFC 4648, section 5; RFC 7515, section 2)."""

import base64
import binascii


def base64url_decode(text: str) -> bytes:
    r"""Return the bytes of a text.

    >>> base64url_decode("_-8")
    b'\xff\xef'

    Raises:
        ValueError: It is not base64url, or not the canonical spelling.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"not base64url: {text[:40]!r}"
        raise ValueError(message) from error
    if base64.urlsafe_b64encode(data).decode("ascii").rstrip("=") != text:
        message = f"not canonical base64url: {text[:40]!r}"
        raise ValueError(message)
    return data
