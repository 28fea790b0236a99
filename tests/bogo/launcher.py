"""Forks a ready process for each test of the runner: an import costs ten times what a test does.

    python launcher.py SOCKET FOLDER

`launcher.c` is what the runner starts. It hands over its arguments and its standard streams by SOCKET, a
Unix socket; the process that is forked for it runs the shim in FOLDER, where the runner's files lie, and
its exit code goes back. One process a test, as the contract wants.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def serve(path: str, folder: str) -> None:
    """Fork for whoever connects, for ever."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    gc.freeze()
    os.chdir(folder)
    while True:
        line = listener.accept()[0]
        if os.fork() == 0:
            listener.close()
            code = run(line)
            line.sendall(bytes([code]))
            os._exit(0)
        line.close()


def run(line: socket.socket) -> int:
    """Run one test with the arguments and streams that come over `line`; its exit code."""
    from bogo.main import main

    head, streams, _, _ = socket.recv_fds(line, 4, 3)
    (length,) = struct.unpack("=I", head)
    arguments = line.recv(length, socket.MSG_WAITALL) if length else b""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code = main([os.fsdecode(each) for each in arguments.split(b"\0")[:-1]])
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    sys.path[:1] = [str(HERE.parents[1] / "src"), str(HERE.parent)]
    import bogo.run  # noqa: F401  (all that a test needs, once)
    import pellucid.handshake.client12
    import pellucid.handshake.client13
    import pellucid.handshake.server12
    import pellucid.handshake.server13
    import pellucid.legacy  # noqa: F401

    Path(sys.argv[1]).unlink(missing_ok=True)
    serve(sys.argv[1], sys.argv[2])
