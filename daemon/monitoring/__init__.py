"""How the service is: its report, metrics, health, logs, alerts, and what the service manager is told.

Takes what the main loop sees; gives it to whoever asks. It changes nothing of what it reports on.
"""
