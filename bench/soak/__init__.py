"""The promises of delivery, kept while processes are killed and the provider fails: ``make soak``."""
