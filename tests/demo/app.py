"""The vulnerable application: it runs what its query string says, as such things do."""

import http.server
import subprocess
import urllib.parse


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        command = urllib.parse.unquote(urllib.parse.urlsplit(self.path).query)
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=60, check=False)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(done.stdout)

    def log_message(self, *_):
        """No log: the demo is about what the kernel sees."""


http.server.HTTPServer(("127.0.0.1", 8080), Application).serve_forever()
