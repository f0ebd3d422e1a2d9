"""Who may do what: tokens, identities, recipients' links."""
