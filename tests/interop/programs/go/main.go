// Go's crypto/tls as a peer. Usage: peer server|client key=value...   See README.md for the keys.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

const chunk = 16384

var groups = map[string]tls.CurveID{
	"x25519": tls.X25519, "secp256r1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521,
	"X25519MLKEM768": tls.X25519MLKEM768,
	"SecP256r1MLKEM768": tls.CurveID(0x11eb), "SecP384r1MLKEM1024": tls.CurveID(0x11ed),
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func config(want map[string]string, server bool) *tls.Config {
	c := &tls.Config{ServerName: want["name"], MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	switch want["version"] {
	case "1.2":
		c.MaxVersion = tls.VersionTLS12
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	}
	if want["cert"] != "" {
		pair, err := tls.LoadX509KeyPair(want["cert"], want["key"])
		check(err)
		pair.SignedCertificateTimestamps = hexes(want["sct"])
		if want["staple"] != "" {
			pair.OCSPStaple, err = os.ReadFile(want["staple"])
			check(err)
		}
		c.Certificates = []tls.Certificate{pair}
		if want["cert2"] != "" {
			second, err := tls.LoadX509KeyPair(want["cert2"], want["key2"])
			check(err)
			c.Certificates = append(c.Certificates, second)
		}
	}
	pem, err := os.ReadFile(want["ca"])
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c.RootCAs, c.ClientCAs = pool, pool
	if server && want["verify"] != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if want["alpn"] != "" {
		c.NextProtos = strings.Split(want["alpn"], ",")
	}
	if want["suites"] != "" {
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			for _, name := range strings.Split(want["suites"], ",") {
				if suite.Name == name {
					c.CipherSuites = append(c.CipherSuites, suite.ID)
				}
			}
		}
	}
	if want["groups"] != "" {
		for _, name := range strings.Split(want["groups"], ",") {
			c.CurvePreferences = append(c.CurvePreferences, groups[name])
		}
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	return c
}

func hexes(text string) [][]byte {
	if text == "" {
		return nil
	}
	sct, err := hex.DecodeString(text)
	check(err)
	return [][]byte{sct}
}

func flag(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func report(to io.Writer, s tls.ConnectionState, want map[string]string) {
	exported := []byte{}
	if want["export"] == "tls-unique" {
		exported = s.TLSUnique
	} else if want["export"] != "" {
		var err error
		exported, err = s.ExportKeyingMaterial(want["export"], nil, 32)
		check(err)
	}
	fmt.Fprintf(to, "report version=%s suite=%s group=%s alpn=%s resumed=%d hrr=%d peer=%d exporter=%x ocsp=%d sct=%d\n",
		strings.ReplaceAll(tls.VersionName(s.Version), " ", "v"), tls.CipherSuiteName(s.CipherSuite), s.CurveID,
		s.NegotiatedProtocol, flag(s.DidResume), flag(s.HelloRetryRequest), len(s.PeerCertificates), exported,
		flag(len(s.OCSPResponse) > 0), flag(len(s.SignedCertificateTimestamps) > 0))
}

func answer(plain net.Conn, c *tls.Config, want map[string]string) {
	connection := tls.Server(plain, c)
	defer connection.Close()
	if err := connection.Handshake(); err != nil {
		fmt.Fprintln(os.Stderr, "connection:", err)
		return
	}
	report(os.Stdout, connection.ConnectionState(), want)
	if _, err := io.CopyBuffer(struct{ io.Writer }{connection}, struct{ io.Reader }{connection}, make([]byte, chunk)); err != nil {
		fmt.Fprintln(os.Stderr, "connection:", err)
	}
}

func serve(c *tls.Config, want map[string]string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("port=%d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		plain, err := listener.Accept()
		check(err)
		go answer(plain, c, want)
	}
}

func visit(c *tls.Config, want map[string]string) {
	payload, err := io.ReadAll(os.Stdin)
	check(err)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	times, _ := strconv.Atoi("0" + want["times"])
	for turn := 0; turn < max(times, 1); turn++ {
		connection, err := tls.Dial("tcp", "127.0.0.1:"+want["port"], c)
		check(err)
		buffer := make([]byte, chunk)
		for at := 0; at < len(payload); at += chunk {
			part := payload[at:min(at+chunk, len(payload))]
			_, err = connection.Write(part)
			check(err)
			_, err = io.ReadFull(connection, buffer[:len(part)])
			check(err)
			out.Write(buffer[:len(part)])
		}
		report(os.Stderr, connection.ConnectionState(), want)
		check(connection.Close())
	}
}

func main() {
	want := map[string]string{}
	for _, pair := range os.Args[2:] {
		key, value, _ := strings.Cut(pair, "=")
		want[key] = value
	}
	if c := config(want, os.Args[1] == "server"); os.Args[1] == "server" {
		serve(c, want)
	} else {
		visit(c, want)
	}
}
