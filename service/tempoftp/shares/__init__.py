"""A share from request to end: states, desired state, results, history."""
