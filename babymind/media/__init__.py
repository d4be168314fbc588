"""Pictures: made safe, then kept under random names."""
