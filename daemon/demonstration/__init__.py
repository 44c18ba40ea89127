"""The demonstration and the sign-off of a machine: a synthetic microscope, the real service, truth as the judge.

Takes an empty folder; gives a verdict. It uses the service as people do, by its command and its database.
"""
