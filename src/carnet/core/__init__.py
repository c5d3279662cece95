"""What every part shares: money, time, digests, ids, canonical JSON, errors, settings, texts."""
