"""How much a source has, asked before a share is."""
