"""The board, the board on a past date, and the responses to a move."""
