"""A simulated provisioner, for work on the API and the portal without hosts."""
