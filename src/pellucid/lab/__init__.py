"""The laboratory: a peer that breaks one rule at a time, to see how the other side takes it.

A misbehaving peer is the ordinary client or server of pellucid with a script of *faults*. It keeps
its own view of the handshake consistent with what it really sent (the transcript holds the changed
messages, the keys follow from them), so that the fault named in the script is the only one, and
the honest side must notice exactly that.

>>> from pellucid import Authority, ClientConfig, ClientConnection, ServerConfig
>>> from pellucid.lab import MisbehavingServer, converse, edit
>>> from pellucid.wire.messages import ServerHello
>>> authority = Authority.create()
>>> config = ServerConfig(identities=(authority.issue("localhost"),))
>>> client = ClientConnection(ClientConfig(trust=authority.trust()), "localhost")
>>> server = MisbehavingServer(config, edit(ServerHello, cipher_suite=0x1399))
>>> talk = converse(client, server)
>>> talk.client_error.reason.sentence
'The server chose a cipher suite that was not offered or does not fit.'
>>> talk.client_error.alert
<Alert.illegal_parameter: 47>

Faults in messages: `edit`, `extensions`, `repeat_extension`, `drop`, `duplicate`, `replace`,
`insert`, `swap`, `flip`, `cut`, `append`. Faults in records: `split`, `corrupt`, `in_clear`,
`record_version`, `records`. `Tap` breaks nothing and remembers what was sent; `apart` breaks nothing
and gives each message a record of its own. A fault that no function here makes is a subclass of
`Fault` away.

Once the handshake is over (or in its midst), `peer.inject(...)` writes any record under the
present keys and `peer.inject_raw(...)` any bytes at all.

In memory, `converse` lets two peers talk. Over real sockets `probe` is the bad client of any server,
`serve` the bad server of any client, whatever they are written in; `pellucid.pytest_plugin` has both as
fixtures.

The faults keep count of what they saw: make new ones for each connection.
"""

from __future__ import annotations

from pellucid.handshake.context import ChangeCipherSpec
from pellucid.lab.faults import (
    Fault,
    HelloRetryRequest,
    Outgoing,
    Record,
    Tap,
    apart,
    append,
    corrupt,
    cut,
    drop,
    duplicate,
    edit,
    extensions,
    flip,
    in_clear,
    insert,
    record_version,
    records,
    repeat_extension,
    replace,
    split,
    swap,
)
from pellucid.lab.peers import Conversation, MisbehavingClient, MisbehavingServer, converse
from pellucid.lab.sockets import Outcome, Trap, probe, serve

__all__ = [
    "ChangeCipherSpec",
    "Conversation",
    "Fault",
    "HelloRetryRequest",
    "MisbehavingClient",
    "MisbehavingServer",
    "Outcome",
    "Outgoing",
    "Record",
    "Tap",
    "Trap",
    "apart",
    "append",
    "converse",
    "corrupt",
    "cut",
    "drop",
    "duplicate",
    "edit",
    "extensions",
    "flip",
    "in_clear",
    "insert",
    "probe",
    "record_version",
    "records",
    "repeat_extension",
    "replace",
    "serve",
    "split",
    "swap",
]
