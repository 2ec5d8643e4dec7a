"""Networks of others, to compare with: one module each, and an entry in the catalogue."""
