"""What recipients fetched, as the FTP hosts counted it."""
