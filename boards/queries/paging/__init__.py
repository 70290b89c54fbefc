"""What every list that is read page by page needs: cursors, and whole numbers of addresses."""
