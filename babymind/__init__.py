"""BabyMind: helps parents to wonder what is on their baby's mind, and has people read every answer."""
