#!/usr/bin/python3
"""Stands for Contrail's vRouter agent: a daemon that says on port 8085 which version it is."""
import http.server
import json
import os
import signal
import socket
import sys

VERSION = "@VERSION@"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (json.dumps({"version": VERSION, "host": socket.gethostname()}) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.ThreadingHTTPServer(("", 8085), Handler)
if "NOTIFY_SOCKET" in os.environ:  # `systemctl restart`, and so apt, returns when the port answers
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
server.serve_forever()
