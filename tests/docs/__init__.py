"""What the pages say, held to what the program does."""
