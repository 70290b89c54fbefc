"""The board, the board on a past date, and the answers to a move."""
