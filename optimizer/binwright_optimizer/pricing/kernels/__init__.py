"""Compiled pricing: the best pattern of pods for one candidate under given dual prices.

The pricing problem of candidate ``j`` is a bounded knapsack with one constraint per resource::

    max  sum_i pi_i x_i
    s.t. sum_i requests_ir x_i <= allocatable_jr     for every resource r
         0 <= x_i <= cap_i, integer

It is screened by its Lagrangian bound with multipliers ``mu`` (in cost units, one per resource,
requests as shares of the candidate)::

    L(mu) = sum_r mu_r + sum_i cap_i max(0, pi_i - sum_r mu_r share_ir) >= optimum

and, where that does not suffice, solved by depth-first branch and bound over the items in order
of efficiency ``pi_i / sum_r mu_r share_ir``. The multipliers are the duals of the linear
relaxation. At a node with free shares ``f`` both
``mu . f + sum_(i left) cap_i max(0, pi_i - mu . share_i)`` and ``efficiency . mu . f`` bound what
is still to gain (Martello and Toth, Knapsack Problems, 1990, ISBN 0-471-92420-2, for the
one-constraint case). They are kept from sweep to sweep, so that most candidates are screened out
by one pass over their items.
"""
