"""kill -9 at every step of the payment path, then a restart: nothing may be lost, nothing may be there twice.

`python -m tests.crash_points` runs each flow once to count its crash points (before every statement, commit, socket call,
queue step, file write and answer, and after the last), then once for each point with the process killed there, lets life
go on and judges shop, Stripe and mailboxes. The shop is imported once; every run is a handful of forks.
"""
