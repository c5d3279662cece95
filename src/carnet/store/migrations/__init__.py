"""The one folder of migrations; `carnet.store.schema` runs them."""
