"""What is asked of it: the words of promises and claims, and what a question touches."""
