"""The moves of versions: the judgement of a move, and what can refuse or cause one."""
