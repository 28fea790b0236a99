"""TLS_FALLBACK_SCSV and the downgrade sentinel: nobody can talk two modern sides into an old version.

RFC 7507; RFC 8446 section 4.1.3.

Prints:

    a second try with TLS 1.2: The peer refused the connection. It sent the alert inappropriate_fallback. ...
"""

from pellucid import Authority, ClientConfig, Policy, ServerConfig, TLSError, connect, serve

authority = Authority.create()
server = ServerConfig(identities=(authority.issue("localhost"),))

# A client whose first try with TLS 1.3 failed tries again with TLS 1.2, and says so. A server that
# knows TLS 1.3 then knows that the first failure was somebody's doing.
policy = Policy(versions=(0x0303,), send_fallback_scsv=True)
with serve(lambda tls: None, server) as listening:
    try:
        connect("localhost", listening.port, config=ClientConfig(trust=authority.trust(), policy=policy))
    except TLSError as refused:
        print("a second try with TLS 1.2:", refused)
