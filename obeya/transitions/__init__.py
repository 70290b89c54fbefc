"""How versions move: the decision about a move, and what can refuse one or cause one."""
