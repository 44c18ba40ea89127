"""How likely each decision is wrong: that a nucleus is one, that it goes on as that one, divides, begins or ends there.

Takes the tracker's window of frames, solved; gives probabilities, by a model that is fitted to movies with known truth
(`model.json`, made by tests/benchmarks/calibrate_doubts.py). It changes no decision.
"""
