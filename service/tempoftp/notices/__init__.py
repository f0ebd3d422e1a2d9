"""How people are told: mails and webhooks. What of, and when, is `tempoftp.shares.notices`."""
