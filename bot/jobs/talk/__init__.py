"""What is said to people and what they ask for: commands, suggestions, notices."""
