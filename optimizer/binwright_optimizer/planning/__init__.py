"""Capacity planning: from a forecast to the mix to buy, across regions, periods and scenarios.

The pieces, in the order in which data flow::

    demand      what must run: `model.forecast`; bands from `history`, replicas under load from `hpa`
      |
    scenarios   `scenarios`: quantiles of the bands with probabilities; `blocks`: hours of the week
      |
    blocks      k = (region, period, scenario, hour block): one engine `Problem` for each way of buying
      |
    mixes       `mix`: node counts by offering that serve a block, verified, with the engine's proven bound
      |
    plan        `commit`: commitments bought now, mixes then, a two-stage stochastic programme; `plan`
      |
    report      the command line: tables, JSON, a page

Beside it: `sizing`, the simple rule that plans are held against; `reference`, the platform of 300 nodes;
`flavors`, ways to have Kubernetes.

**What is built.** Commitments discount every on-demand node of the platform alike, so that they change
what is paid for a block and not its mix: each block is solved once, `commit` decides over all of them,
and `commit.prove` joins the engine's bounds B_k in place of costs and dual prices of the commitments to
one bound on the whole plan, in exact arithmetic.

**What the design allows next**, with the same parts. A commitment c that pays for some types or regions
only (instance reservations) takes e_co of itself for a node of offering o and leaves q_co to be paid. It
does change mixes, so blocks get several, l_km in {0, 1} choosing one of m, and u_kco <= sum_m n_mo l_km
nodes of o paid for by c. Relaxing the rows sum_o e_co u_kco <= x_c + held_c with prices mu_kc >= 0 leaves
an ordinary packing problem for each block at the prices p'_ko = min(p_o, min_c q_co + e_co mu_kc), which
the engine bounds as any other:

    LB = sum_k w_k (B_k(mu) - sum_c mu_kc held_c) + sum_c cap_c min(0, F_c - sum_k w_k mu_kc)

for weights w_k and costs F_c, whatever mu. Dantzig-Wolfe finds good mu: the relaxation over the mixes
known prices the commitments, the engine solves each block at these prices, its mixes join as columns. The
certificate of a plan is then mu in integers and one engine certificate for each block. Blocks are
independent, so they fan out over processes or a cluster and give the same answer anywhere; a checkpoint
is the list of mixes. A protected failure f (a zone, a spot pool, a region) is a further block (k, f)
without what is lost that shares x and the mix that survives, so that resilience is a constraint as
headroom is.
"""
