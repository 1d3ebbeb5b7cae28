"""An HTTP server of a test: a thread a request, quiet about what breaks, room
for a crowd at its door."""

import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Connections stay; a test says what do_POST() is."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Runs from the start, as a daemon; .url"""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, handler, host="127.0.0.1", port=0):
        super().__init__((host, port), handler)
        self.url = f"http://{host}:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass
