"""Time, processes and people: the service, its command line and its watch over folders."""
