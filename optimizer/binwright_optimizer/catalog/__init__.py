"""Embedded catalogues: what AWS, Azure and GCP sell, where, and at what price.

Every price says its source and date. The data files and the rules by which they were made are
described in ``data/README.md``; `build` makes them.
"""

from binwright_optimizer.catalog.embedded import (
    CatalogSummary,
    clouds,
    embedded_catalog,
    price_sources,
    regions,
    summary,
)

__all__ = ["CatalogSummary", "clouds", "embedded_catalog", "price_sources", "regions", "summary"]
