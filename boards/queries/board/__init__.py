"""The board: its columns of cards and its alerts."""
