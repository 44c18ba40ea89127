"""Weights from images and labels: examples, augmentation, targets, losses, and the run that can be interrupted.

Takes folders of images and labels, or synthetic images alone; gives weights with a manifest, and a history. The only
room of this package that reads people's files. Nothing that serves a running experiment may import it.
"""
