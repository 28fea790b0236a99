"""The raw ClientHello: a server looks at who is calling before it decides how to answer.

Hot reload works the same way: the configuration is asked for anew for each connection.

Prints:

    a client that offers h2 and asks for plain.test
    it gets TLS 1.2, as plain.test wants it
    turned away: The peer refused the connection. It sent the alert handshake_failure. ...
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, TLSError, connect, serve
from pellucid.events import Request, SelectConfig
from pellucid.wire.codepoints import ExtensionType
from pellucid.wire.extensions import ProtocolNames

authority = Authority.create()
default = ServerConfig(
    identities=(authority.issue("plain.test", "secret.test"),),
    alpn=("h2",),
    ask=frozenset({SelectConfig}),
)


def decide(request: Request) -> ServerConfig | None:
    """None keeps the default; `fail()` turns the client away."""
    if not isinstance(request, SelectConfig):
        return None
    if request.server_name == "secret.test":
        request.fail()
    body = request.client_hello.extensions[ExtensionType.application_layer_protocol_negotiation]
    offered = ProtocolNames.decode(body).protocol_name_list
    print(f"a client that offers {offered[0].decode()} and asks for {request.server_name}")
    return default.replace(policy=Policy(versions=(0x0303,)))


client = ClientConfig(trust=authority.trust(), alpn=("h2",))
with serve(lambda tls: tls.recv(), default, answer=decide) as listening:
    with connect("127.0.0.1", listening.port, config=client, server_name="plain.test") as tls:
        print(f"it gets {tls.info.version_name}, as plain.test wants it")
    try:
        connect("127.0.0.1", listening.port, config=client, server_name="secret.test")
    except TLSError as refused:
        print("turned away:", refused)
