"""Seeded runs of the whole shop under faults, judged by a model that shares no code with it.

    python -m tests.simulation --seeds 100 --database sqlite

A seed decides who buys what, with which settings of the shop, and what goes wrong (plan). Web, worker and the offline
Stripe run as processes of their own (zygote, stripe_process), are killed and started again while buyers click, pay and
come back over HTTP (stories, steps), teams give out their seats (seat_steps), money moves back (aftermaths,
money_steps), and events arrive late, twice, under two ids, in any order or not at all (deliveries, faults). When
everything has come to rest, the shop's database and its mails are held against what Stripe says (model, judge).
"""
