"""The whole story on the sample seller, told step by step as data that a front end prints."""
