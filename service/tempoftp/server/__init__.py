"""The HTTP server: gunicorn starts and replaces processes, uvicorn reads requests, threads run the application.

No thread is spent on a connection before its request is complete, nor while its answer is being sent
(docs/decisions/0140-no-thread-waits-for-a-client.md).
"""

from tempoftp.server.run import run_server

__all__ = ["run_server"]
