"""What people order on the page: who they are, what they may choose, and the routes that take orders.

Takes a request of a visitor whom the guard has let in; hands it on through `Services`, and has written down who
ordered what. It changes nothing itself.
"""
