"""Trying settings on the page: what can be set, trials of a time point, and orders that put settings to use.

Takes an acquisition, a time point and settings; gives figures and pictures of labels, made by a process of its own at
the lowest priority. It stores nothing, loads no network, and changes nothing but by orders to the service.
"""
