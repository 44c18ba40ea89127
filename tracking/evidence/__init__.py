"""What links, divisions, ends and beginnings are worth: likelihoods from what the movie itself has shown.

Takes frames and sums over earlier ones; gives costs (negative logarithms), expected places and beliefs. It decides
nothing: decisions are `tracking.linking`'s.
"""
