"""The anytime search: greedy first, then columns, dives and neighbourhoods in turn.

Every stage hands what it finds to one incumbent; whoever stops the search gets the best so far. `state`
is what stages share; `start` makes the first answers, `domains` packs one domain at a time, `parts` does
so for thousands of classes, `turns` is all over all classes together, and `splits` branches. Meanwhile
`regrouping` betters the answer by small exact moves, `aside` in a thread of its own where there may be one.
"""

from binwright_optimizer.search.found import MOST_PARTS, Found, price_step, with_demand_of
from binwright_optimizer.search.run import Search
from binwright_optimizer.search.state import LEAST_VALUE

__all__ = ["LEAST_VALUE", "MOST_PARTS", "Found", "Search", "price_step", "with_demand_of"]
