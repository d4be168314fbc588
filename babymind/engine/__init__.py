"""What carries work between threads and processes. It only says "look": our rows are the truth."""
