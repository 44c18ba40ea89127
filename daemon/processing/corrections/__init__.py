"""The steps of corrections: which acquisitions are due, what a worker is told, and the transaction that follows.

Takes what people said, as the catalog has it; gives tasks, and what is to be shown and painted afterwards. What a
correction means is decided in `storage.corrections` and below.
"""
