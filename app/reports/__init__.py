"""Read-only questions over all features: what a page shows, sales, health."""
