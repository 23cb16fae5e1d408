"""Forecast files: YAML documents and CSV or Parquet tables to the domain's Forecast.

`reader` chooses by format; `table` and `document` turn what is written into a `draft`, which says where
everything was written; the draft is checked as a whole and becomes a forecast, or one error that names file,
place, column and value of every mistake. `places` says where that was written which only planning finds
wrong.
"""

from binwright_clients.forecast.reader import read_forecast, read_with_places

__all__ = ["read_forecast", "read_with_places"]
