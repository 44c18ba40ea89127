"""Installing the service: unit, configuration, user and folders; where its state lies.

Takes what is wanted; gives steps and carries them out. What people wrote is not touched.
"""
