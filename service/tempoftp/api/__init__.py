"""The HTTP API (step 1 and step 9 of the flow): translate a request, call `tempoftp.shares`, translate the answer."""
