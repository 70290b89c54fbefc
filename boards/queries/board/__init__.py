"""The board: its columns of cards, its limits and its alerts."""
