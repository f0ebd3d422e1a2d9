"""Code that the tests of several folders share; what one folder needs alone stays there."""
