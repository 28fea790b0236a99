%% Erlang's ssl application as a peer. Run: escript erlang_ssl.erl server|client key=value...   See README.md.
-module(erlang_ssl).
-export([main/1]).
-define(CHUNK, 16384).

main([Role | Pairs]) ->
    logger:set_primary_config(level, none),
    {ok, _} = application:ensure_all_started(ssl),
    Want = maps:from_list([list_to_tuple(string:split(P, "=")) || P <- Pairs]),
    case Role of
        "version" ->
            {ok, V} = application:get_key(ssl, vsn),
            io:format("OTP ~s, ssl ~s~n", [erlang:system_info(otp_release), V]);
        "server" -> server(Want);
        "client" -> client(Want)
    end.

options(Want) ->
    Versions = case maps:get("version", Want, "") of
        "1.2" -> ['tlsv1.2'];
        "1.3" -> ['tlsv1.3'];
        _ -> ['tlsv1.3', 'tlsv1.2']
    end,
    [{versions, Versions}, {cacertfile, maps:get("ca", Want)}, {mode, binary}, {active, false}]
        ++ [{certfile, V} || {"cert", V} <- maps:to_list(Want)]
        ++ [{keyfile, V} || {"key", V} <- maps:to_list(Want)]
        ++ [{case Versions of ['tlsv1.2'] -> eccs; _ -> supported_groups end,
             [list_to_atom(G) || G <- string:split(V, ",", all)]} || {"groups", V} <- maps:to_list(Want)].

protocols(Want) -> [list_to_binary(P) || P <- string:split(maps:get("alpn", Want, ""), ",", all), P =/= ""].

report(Device, Socket) ->
    {ok, [{protocol, Version}, {selected_cipher_suite, Suite}]} =
        ssl:connection_information(Socket, [protocol, selected_cipher_suite]),
    Resumed = case ssl:connection_information(Socket, [session_resumption]) of
        {ok, [{session_resumption, true}]} -> 1;
        _ -> 0
    end,
    Alpn = case ssl:negotiated_protocol(Socket) of {ok, P} -> P; _ -> "" end,
    Peer = case ssl:peercert(Socket) of {ok, _} -> 1; _ -> 0 end,
    io:format(Device, "report version=~s suite=~s alpn=~s resumed=~b peer=~b~n",
              ["TLS" ++ string:trim(atom_to_list(Version), leading, "tls"),
               ssl:suite_to_str(Suite), Alpn, Resumed, Peer]).

server(Want) ->
    Verify = case maps:is_key("verify", Want) of
        true -> [{verify, verify_peer}, {fail_if_no_peer_cert, true}];
        false -> [{verify, verify_none}]
    end,
    Alpn = case protocols(Want) of [] -> []; List -> [{alpn_preferred_protocols, List}] end,
    Tickets = case maps:get("version", Want, "") of "1.2" -> []; _ -> [{session_tickets, stateful}] end,
    {ok, Listener} = ssl:listen(0, [{ip, {127, 0, 0, 1}}, {reuseaddr, true} | options(Want)] ++ Verify ++ Alpn ++ Tickets),
    {ok, {_, Port}} = ssl:sockname(Listener),
    io:format("port=~b~n", [Port]),
    accept(Listener).

accept(Listener) ->
    {ok, Plain} = ssl:transport_accept(Listener),
    Pid = spawn(fun() -> receive go -> ok end, answer(Plain) end),
    ok = ssl:controlling_process(Plain, Pid),
    Pid ! go,
    accept(Listener).

answer(Plain) ->
    case ssl:handshake(Plain, 20000) of
        {ok, Socket} -> report(standard_io, Socket), echo(Socket);
        {error, Reason} -> io:format(standard_error, "connection: ~p~n", [Reason])
    end.

echo(Socket) ->
    case ssl:recv(Socket, 0, 30000) of
        {ok, Data} -> ok = ssl:send(Socket, Data), echo(Socket);
        {error, closed} -> ssl:close(Socket);
        {error, Reason} -> io:format(standard_error, "connection: ~p~n", [Reason])
    end.

client(Want) ->
    ok = io:setopts(standard_io, [binary, {encoding, latin1}]),
    Payload = read_all([]),
    Alpn = case protocols(Want) of [] -> []; List -> [{alpn_advertised_protocols, List}] end,
    Tickets = case maps:get("version", Want, "") of
        "1.2" -> [{reuse_sessions, save}];
        _ -> [{session_tickets, auto}]
    end,
    Options = [{verify, verify_peer}, {server_name_indication, maps:get("name", Want)} | options(Want)] ++ Alpn ++ Tickets,
    [visit(Want, Options, Payload) || _ <- lists:seq(1, list_to_integer(maps:get("times", Want, "1")))],
    init:stop().

read_all(Parts) ->
    case file:read(standard_io, 65536) of
        {ok, Data} -> read_all([Data | Parts]);
        eof -> iolist_to_binary(lists:reverse(Parts))
    end.

visit(Want, Options, Payload) ->
    case ssl:connect({127, 0, 0, 1}, list_to_integer(maps:get("port", Want)), Options, 20000) of
        {ok, Socket} ->
            ping_pong(Socket, Payload),
            report(standard_error, Socket),
            ssl:close(Socket);
        {error, Reason} ->
            io:format(standard_error, "handshake: ~p~n", [Reason]),
            halt(1)
    end.

ping_pong(_, <<>>) -> ok;
ping_pong(Socket, Payload) ->
    Length = min(byte_size(Payload), ?CHUNK),
    <<Part:Length/binary, Rest/binary>> = Payload,
    ok = ssl:send(Socket, Part),
    {ok, Back} = ssl:recv(Socket, Length, 20000),
    ok = file:write(standard_io, Back),
    ping_pong(Socket, Rest).
