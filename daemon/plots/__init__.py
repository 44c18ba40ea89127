"""Pictures of an acquisition's results: what `nusetd plot` draws, and the window of `nusetd view`.

Takes results through `storage`; gives pictures. It changes nothing.
"""
