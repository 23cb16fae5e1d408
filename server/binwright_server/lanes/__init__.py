"""Lanes: processes beside the one that callers reach, so that no question waits behind another's work.

Solving is compiled code that leaves the interpreter lock alone, but understanding a problem of 100,000 pods
and naming its answer are Python and hold the lock for half a second at a time; in one process, every
call would wait as long. Three processes share the work instead:

============  ======================================================================================
the front     what callers reach: transport, tokens, health, metrics, and the scheduling API, whose
              answers take a millisecond
``batch``     ProvisioningService and CatalogService, with a queue and threads of their own, at lower
              priority
``online``    the expander, and the plans that the scheduling API follows
============  ======================================================================================

A lane is a whole server on a socket that only this user reaches; the front passes messages through
unread. Lanes are started as new programs and never forked, which gRPC would not survive.
"""
