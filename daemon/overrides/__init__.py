"""Settings that people change while the service runs, for one watched folder each, and its weights: kept in a file.

Takes a configuration and what people order; gives the configuration with their settings over it, where each value comes
from, and the file, with a record of who changed what. The configuration file is never written. A fault in the file of
overrides is a sentence; it never stops the service.
"""
