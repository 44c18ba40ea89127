"""Events: what each transaction changed, written in the same transaction, so that their order is that of the commits.

Takes rows as they were and as they are; gives rows of `events`, and what rules decided and sent. Nothing here changes
a result. Who follows reads them in `storage.query.following`.
"""
