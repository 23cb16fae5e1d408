"""Capacity planning: from a forecast to the mix to buy, across regions, periods and scenarios.

The pieces, in the order in which data flow::

    demand      what must run: `model.forecast`; bands from `history`, replicas under load from `hpa`
      |
    scenarios   `scenarios`: quantiles of the bands with probabilities; `blocks`: hours of the week
      |
    questions   `subproblems`: one packing problem for each region, block and way of buying
      |
    sites       `sites`, `shares`, `spread`: what may run in several regions, or must survive the loss of a
                zone or region, is split over them (Benders); `whole`: few pods, in whole pods and nodes;
                `large`: many, by prices of pods on each site (`boxes`, `moves`); `priced`: the same at the
                prices that commitments and churn make, `resplit`: their splits
      |
    mixes       `mix`: nodes that serve one, verified, with the engine's proven bound
      |
    ledger      `ledger`: all that is known of every block; `rounds` ask again at the prices of commitments
      |
    plan        `commit`: commitments bought now, mixes then, a two-stage stochastic programme; `planner`
                wires all of it, `plan` says what comes out, `certificate` what proves it to others
      |
    report      the command line: tables, JSON, a page

Beside it: `sizing`, the simple rule that plans are held against; `reference`, the platform of 300 nodes;
`flavors`, ways to have Kubernetes.

**Commitments** pay for some nodes only (`coverage`, `scopes`): reservations for one type in a region or zone,
committed spend for some types or all. Those that cover everything scale every price alike and change no
mix. The others do: relaxing what is committed at prices mu leaves an ordinary packing problem for each block
at the prices that mu makes for its nodes, which the engine bounds as any other, and `commit.prove` joins
these bounds to one on the whole plan, in exact arithmetic, whatever mu is. Dantzig-Wolfe finds good mu
(`rounds`), and `recombine` the mixes that use whole reserved nodes; `rolling` and `churn` do the same where
an earlier plan's nodes are held. Blocks are independent, so they fan out over processes or a cluster and give
the same answer anywhere.
"""
