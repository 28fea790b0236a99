"""The conversation: one generator for each role and version, in protocol order.

Read them beside the RFC's figures: `client.py` and `server.py` hold the hellos, which decide the
version; `client13.py`, `server13.py` are RFC 8446 figure 1, `client12.py`, `server12.py` RFC 5246
figure 1; `post.py` is what may follow the handshake. `context.py` is what they all stand on.
"""
