"""Corrections on their way: from a person's word to an order, and from the orders to labels beside a store.

Takes labels as people see them, and images for what is drawn and measured; gives orders for the database, and what
their transaction needs. Whether and when they are carried out is decided elsewhere; without a service it is done here.
"""
