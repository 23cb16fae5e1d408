"""Capacity planning: from a forecast to the mix to buy, across regions, clouds and scenarios.

The pieces, in the order in which data flow::

    demand      what must run: workloads x regions x periods, as numbers, bands, history or load (`hpa`)
      |
    scenarios   quantiles of the bands with probabilities, times the hour blocks of a week
      |
    blocks      k = (region, period, scenario, hour block): one engine `Problem` each, with weight w_k,
      |         its hours times its probability
    mixes       node counts by offering that serve a block, found and proven by the engine at given prices
      |
    plan        commitments x bought now, one mix per block then: a two-stage stochastic programme
      |
    resilience  the plan with a zone, a spot pool or a region taken away, replayed by the engine
      |
    report      cost by quarter and pool, coverage, bands against capacity, every price with its source

**The programme.** Sets: blocks k, offerings o, commitments c (instances or dollars an hour of some
offerings, for 1 or 3 years), node mixes m of block k, with n_mo nodes of offering o. Variables: x_c >= 0
integer, commitments bought; l_km in {0, 1}, the mix of a block; u_kco >= 0, nodes of offering o that
commitment c pays for in block k.

    minimise    sum_c F_c x_c + sum_k w_k sum_o p_o (sum_m n_mo l_km - sum_c u_kco) + w_k sum_co q_co u_kco
    convexity   sum_m l_km = 1                        for every k        dual s_k, free
    use         sum_c u_kco <= sum_m n_mo l_km        for every k, o     dual v_ko >= 0
    commitment  sum_o e_co u_kco <= x_c + held_c      for every k, c     dual w_k mu_kc >= 0, in its term

F_c is what the commitment costs over the horizon, p_o the price without it, q_co the price of a node that
it pays for, e_co how much of it a node takes (1 for instances, dollars an hour for spend).

**The bound.** Relax the commitment rows with any mu >= 0. What is left falls apart: block k is an
ordinary packing problem at the prices p'_ko = min(p_o, min_c q_co + e_co mu_kc), whose lower bound B_k
the engine's own certificate proves in exact integers (`verify.prove_bound`, over the original offerings);
and each x_c costs at least min(0, F_c - sum_k w_k mu_kc) times its cap, which is zero wherever mu
respects F_c. So

    LB = sum_k w_k (B_k - sum_c mu_kc held_c) + sum_c cap_c min(0, F_c - sum_k w_k mu_kc)

for any mu: the certificate of a plan is mu in integers and one engine certificate per block, checked from
files as `verify` checks a decision. Dantzig-Wolfe finds good mu: the linear relaxation over the mixes
known prices the commitments, the engine solves each block at these prices, its mixes join as columns.
Blocks are independent, so they fan out over processes or a cluster and give the same answer anywhere; a
checkpoint is the list of mixes. The plan is the integer programme over the mixes found. Risk: CVaR enters
as one variable and one row per scenario (Rockafellar and Uryasev 2000, doi:10.21314/JOR.2000.038), its
dual reweights the scenarios, and the bound holds with those weights. On small instances the extensive
form, one integer programme over all patterns of all blocks, must give the same optimum.

**Resilience and headroom** are constraints of the blocks: demand over target utilisation, and, per
protected failure f, a block (k, f) without the lost zone or pool that shares x and the mix that survives.
"""
