"""How messages leave: a protocol, and one module for each real provider."""
