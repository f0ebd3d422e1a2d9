"""The worker process: claims due shares and runs Ansible for each FTP host."""
