"""What is known of each FTP host: space, pauses, holds, runs; and how its workers are woken."""
