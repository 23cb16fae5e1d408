"""The command line `binwright`."""
