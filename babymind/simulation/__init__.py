"""A virtual year: families drawn by seed live through it over the real services; then the promises are checked."""
