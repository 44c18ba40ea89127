"""Pictures of an acquisition's results: what `nusetd plot` draws."""
