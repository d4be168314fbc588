"""The promises of speed, each measured beside its limit in the same run: ``make bench``."""
