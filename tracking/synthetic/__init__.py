"""Synthetic time-lapses with known truth: tissue that moves, grows, divides and dies on a drifting stage.

Takes parameters and a random generator; gives frames of nuclei in micrometres and their lineage. It tracks nothing.
"""
