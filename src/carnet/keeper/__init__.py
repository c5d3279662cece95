"""The keeper: a loop that does what is due. It holds no power but what anyone may call."""
