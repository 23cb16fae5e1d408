"""Catalogues of today: instance types and prices from the clouds' own interfaces.

``aws`` asks EC2 and the Price List API through boto3, ``azure`` the Retail Prices API, ``gcp`` the
Cloud Billing Catalog API. Each returns a `RefreshedCatalog`; nothing here is imported by a solve.
"""

from binwright_optimizer.catalog.refresh.refreshed import RefreshedCatalog, RefreshError

__all__ = ["RefreshError", "RefreshedCatalog"]
