"""How well tracks agree with the truth: plain counts, and the measures of the Cell Tracking Challenge.

Takes tracks and truth; gives scores. The tracker never imports it.
"""
