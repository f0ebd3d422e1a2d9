"""Previews: how large a source is and whether it fits, before anything is requested."""
