"""Code that the tests of several folders share. Code that only one folder needs stays in that folder."""
