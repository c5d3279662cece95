"""One module per migration, never edited after a release."""
