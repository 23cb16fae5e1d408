"""How often spot nodes are taken back, from the bands that AWS publishes.

The AWS Spot Advisor (https://aws.amazon.com/ec2/spot/instance-advisor/) gives, for a type in a region, how
often it was reclaimed in the last month, in bands of five per cent. A band is taken at its middle; of the
open band above 20 % we assume 25 %.
"""

from __future__ import annotations

_PPM_OF_BAND = {"0": 25_000, "1": 75_000, "2": 125_000, "3": 175_000, "4": 250_000}
"""Expected share of nodes reclaimed in a month, parts per million, by the band's number."""


def interruption_ppm(band: str) -> int | None:
    """Expected share of nodes reclaimed in a month, parts per million; None for an empty band.

    >>> interruption_ppm("0"), interruption_ppm("4"), interruption_ppm("")
    (25000, 250000, None)
    """
    return _PPM_OF_BAND[band] if band else None
