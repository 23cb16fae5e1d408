"""A forecast as a table and as a document, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast

TABLE = """workload,region,period,cpu_milli,memory_mib,gpu_count,gpu_models,capacity_type,profile,p50,p90,p99
api,us-east-1,2027-Q1,500,768,,,,office,100,110,130
api,us-east-1,2027-Q2,500,768,,,,office,120,,
model,us-east-1,2027-Q1,3000,12288,1,T4,,,4,5,6
model,us-east-1,2027-Q2,3000,12288,1,T4,,,4,5,6
night,eu-west-1,2027-Q1,1000,1536,,,spot,night,10,10,10
night,eu-west-1,2027-Q2,1000,1536,,,spot,night,0,0,0
"""

DOCUMENT = """apiVersion: binwright.dev/v1
kind: Forecast
regions: [us-east-1]
periods: [2027-Q1, 2027-Q2]
workloads:
  - name: api
    requests: {cpu: 500m, memory: 768Mi}
    demand:
      us-east-1: {2027-Q1: 100, 2027-Q2: {p50: 100, p90: 110}}
"""


def write(tmp_path: Path, text: str, name: str = "demand.csv") -> str:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def complaint(tmp_path: Path, text: str, name: str = "demand.csv") -> str:
    with pytest.raises(InputError) as caught:
        read_forecast(write(tmp_path, text, name))
    return str(caught.value)
