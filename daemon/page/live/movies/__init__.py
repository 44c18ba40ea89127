"""Movies to take away: made one at a time by a process of their own, at the lowest priority, told how far they are.

Takes an acquisition and what somebody wants of it; gives a file, which is kept while the page is there. It changes no
result, and nothing of it runs in the page's own loop.
"""
