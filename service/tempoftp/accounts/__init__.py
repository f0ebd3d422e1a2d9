"""FTP accounts as the service keeps them: names, e-mails, encryption keys, the operator's mapping."""
