"""The HTTP service: health, version and verification, as JSON and as one page."""
