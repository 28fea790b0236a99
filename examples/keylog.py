"""The key log: let Wireshark read along. A file with mode 0600, and one warning.

RFC 9850 (SSLKEYLOGFILE). `KeyLog.from_environment()` follows the variable that browsers know.

Prints:

    a warning: True
    mode 600
    CLIENT_HANDSHAKE_TRAFFIC_SECRET
    SERVER_HANDSHAKE_TRAFFIC_SECRET
    CLIENT_TRAFFIC_SECRET_0
    SERVER_TRAFFIC_SECRET_0
    EXPORTER_SECRET
"""

import tempfile
import warnings
from pathlib import Path

from pellucid import Authority, ClientConfig, KeyLog, ServerConfig, connect, serve

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))

with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    file = Path(folder) / "keys.log"
    config = ClientConfig(trust=authority.trust(), keylog=KeyLog(file))
    with (
        serve(lambda tls: tls.recv(), server) as listening,
        connect("localhost", listening.port, config=config),
    ):
        pass
    print("a warning:", len(warned) == 1)
    print(f"mode {file.stat().st_mode & 0o777:o}")
    for line in file.read_text().splitlines():
        print(line.split()[0])
