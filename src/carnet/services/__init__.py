"""Use cases: the only place that combines facts, rules, ledger, chain and store."""
