"""Stripe's objects, one module each: their parameters, their documents and what may be done to them.

A handler takes the transaction, the checked parameters and the ids of the address, and gives the document to answer
with. It knows no HTTP.
"""
