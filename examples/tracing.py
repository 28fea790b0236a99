"""A trace: an observer that remembers a connection, to tell it afterwards.

Without one the connection keeps no byte and builds no string.

Prints:

    1 Client Hello
    2 Server Hello
    4 Key exchange
    5 Nothing to decrypt
    6 Session keys
    3 Certificate validation
    8 Server Finished
    7 Client Finished
    9 Secure communication
    the group: X25519MLKEM768, because the server's choice among our shares
    written and read again: True
"""

import io

from pellucid import Authority, ClientConfig, ServerConfig, connect, serve
from pellucid.glass.story import tell
from pellucid.glass.trace import Trace
from pellucid.wire.codepoints import NamedGroup

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))
trace = Trace()
config = ClientConfig(trust=authority.trust(), observer=trace)
with serve(lambda tls: tls.recv(), server) as listening, connect("localhost", listening.port, config=config):
    pass

for step in tell(trace).steps:
    print(step.number, step.title)
choice = trace.decision("group")
if choice is not None:
    print(f"the group: {NamedGroup.name_of(choice.chosen)}, because {choice.rule}")

file = io.StringIO()
trace.write(file)  # without secrets, unless you ask for them
file.seek(0)
print("written and read again:", len(Trace.read(file).facts) == len(trace.facts))
