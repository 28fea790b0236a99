// JSSE as a peer, or BouncyCastle's with provider=bc. Usage: TlsPeer server|client key=value...   See README.md.

import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

public class TlsPeer {
    static final int CHUNK = 16384;

    static SSLContext context(Map<String, String> want) throws Exception {
        boolean bc = "bc".equals(want.get("provider"));
        if (bc) {
            Security.insertProviderAt((Provider) Class.forName("org.bouncycastle.jce.provider.BouncyCastleProvider")
                .getConstructor().newInstance(), 1);
            Security.insertProviderAt((Provider) Class.forName("org.bouncycastle.jsse.provider.BouncyCastleJsseProvider")
                .getConstructor().newInstance(), 2);
        }
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (InputStream in = new FileInputStream(want.get("ca"))) {
            trusted.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        KeyManager[] keys = null;
        if (want.containsKey("pkcs12")) {
            KeyStore own = KeyStore.getInstance("PKCS12");
            try (InputStream in = new FileInputStream(want.get("pkcs12"))) {
                own.load(in, "pellucid".toCharArray());
            }
            KeyManagerFactory factory = KeyManagerFactory.getInstance(bc ? "PKIX" : "SunX509");
            factory.init(own, "pellucid".toCharArray());
            keys = factory.getKeyManagers();
        }
        SSLContext context = bc ? SSLContext.getInstance("TLS", "BCJSSE") : SSLContext.getInstance("TLS");
        context.init(keys, trust.getTrustManagers(), null);
        return context;
    }

    static SSLParameters parameters(SSLParameters p, Map<String, String> want) {
        String version = want.getOrDefault("version", "");
        p.setProtocols(version.isEmpty() ? new String[] {"TLSv1.3", "TLSv1.2"} : new String[] {"TLSv" + version});
        if (want.containsKey("suites")) p.setCipherSuites(want.get("suites").split(","));
        if (want.containsKey("alpn")) p.setApplicationProtocols(want.get("alpn").split(","));
        if (want.containsKey("verify")) p.setNeedClientAuth(true);
        return p;
    }

    static void report(PrintStream to, SSLSocket socket) {
        SSLSession session = socket.getSession();
        int peer = 0;
        try {
            peer = session.getPeerCertificates().length;
        } catch (SSLPeerUnverifiedException nobody) {
            peer = 0;
        }
        String alpn = socket.getApplicationProtocol();
        to.println("report version=" + session.getProtocol() + " suite=" + session.getCipherSuite()
            + " alpn=" + (alpn == null ? "" : alpn) + " peer=" + peer);
        to.flush();
    }

    static void answer(SSLSocket socket) {
        try (socket) {
            socket.startHandshake();
            report(System.out, socket);
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            byte[] buffer = new byte[CHUNK];
            for (int n; (n = in.read(buffer)) > 0; ) {
                out.write(buffer, 0, n);
                out.flush();
            }
        } catch (IOException e) {
            System.err.println("connection: " + e);
        }
    }

    static void serve(SSLContext context, Map<String, String> want) throws Exception {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
            .createServerSocket(0, 16, InetAddress.getByName("127.0.0.1"));
        listener.setSSLParameters(parameters(listener.getSSLParameters(), want));
        System.out.println("port=" + listener.getLocalPort());
        System.out.flush();
        while (true) {
            SSLSocket socket = (SSLSocket) listener.accept();
            Thread thread = new Thread(() -> answer(socket));
            thread.setDaemon(true);
            thread.start();
        }
    }

    static void visit(SSLContext context, Map<String, String> want) throws Exception {
        byte[] payload = System.in.readAllBytes();
        OutputStream home = new BufferedOutputStream(System.out);
        int times = Integer.parseInt(want.getOrDefault("times", "1"));
        for (int turn = 0; turn < times; turn++) {
            SSLSocket socket = (SSLSocket) context.getSocketFactory()
                .createSocket(new Socket("127.0.0.1", Integer.parseInt(want.get("port"))), want.get("name"),
                    Integer.parseInt(want.get("port")), true);
            SSLParameters p = parameters(socket.getSSLParameters(), want);
            p.setEndpointIdentificationAlgorithm("HTTPS");
            p.setServerNames(List.of(new SNIHostName(want.get("name"))));
            socket.setSSLParameters(p);
            socket.startHandshake();
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            for (int at = 0; at < payload.length; at += CHUNK) {
                int length = Math.min(CHUNK, payload.length - at);
                out.write(payload, at, length);
                out.flush();
                byte[] part = in.readNBytes(length);
                if (part.length < length) throw new EOFException("the server closed too early");
                home.write(part);
            }
            report(System.err, socket);
            socket.close();
        }
        home.flush();
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> want = new HashMap<>();
        for (int i = 1; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            want.put(pair[0], pair[1]);
        }
        SSLContext context = context(want);
        if (arguments[0].equals("server")) serve(context, want);
        else visit(context, want);
    }
}
