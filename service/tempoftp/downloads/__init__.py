"""Downloads of the recipients, as the FTP hosts counted them."""
