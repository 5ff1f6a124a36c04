"""Features of language pairs: what might predict transfer, a file for each place they are from."""
