"""The worker process: it claims due shares and runs Ansible for each FTP host."""
