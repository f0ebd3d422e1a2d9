"""FTP hosts: space, pauses, holds and runs; and the wake-ups of the workers."""
