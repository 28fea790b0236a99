/* wolfSSL as a peer. Usage: wolf server|client key=value...   See README.md for the keys.
 * Build: cc -O1 -o wolf wolf.c -lwolfssl */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 16384

static int argument_count;
static char **arguments;

static const char *want(const char *key) {
    size_t n = strlen(key);
    for (int i = 2; i < argument_count; i++)
        if (!strncmp(arguments[i], key, n) && arguments[i][n] == '=') return arguments[i] + n + 1;
    return NULL;
}

static void fail(const char *what, int code) {
    char text[80] = "";
    if (code) wolfSSL_ERR_error_string((unsigned long)code, text);
    fprintf(stderr, "%s: %s (%d)\n", what, text, code);
    exit(1);
}

static int group(const char *name) {
    if (!strcmp(name, "secp256r1")) return WOLFSSL_ECC_SECP256R1;
    if (!strcmp(name, "secp384r1")) return WOLFSSL_ECC_SECP384R1;
    if (!strcmp(name, "secp521r1")) return WOLFSSL_ECC_SECP521R1;
    if (!strcmp(name, "x448")) return WOLFSSL_ECC_X448;
    return WOLFSSL_ECC_X25519;
}

static WOLFSSL_CTX *context(int server) {
    const char *version = want("version");
    WOLFSSL_METHOD *method;
    if (version && !strcmp(version, "1.2"))
        method = server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
    else if (version && !strcmp(version, "1.3"))
        method = server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    else
        method = server ? wolfSSLv23_server_method() : wolfSSLv23_client_method();
    WOLFSSL_CTX *c = wolfSSL_CTX_new(method);
    if (want("cert")) {
        if (wolfSSL_CTX_use_certificate_chain_file(c, want("cert")) != WOLFSSL_SUCCESS) fail("certificate", 0);
        if (wolfSSL_CTX_use_PrivateKey_file(c, want("key"), WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS) fail("key", 0);
    }
    if (wolfSSL_CTX_load_verify_locations(c, want("ca"), NULL) != WOLFSSL_SUCCESS) fail("root", 0);
    if (server && !want("verify"))
        wolfSSL_CTX_set_verify(c, WOLFSSL_VERIFY_NONE, NULL);
    else
        wolfSSL_CTX_set_verify(c, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (want("groups")) {
        int list[8], n = 0;
        char *copy = strdup(want("groups"));
        for (char *name = strtok(copy, ","); name && n < 8; name = strtok(NULL, ",")) {
            list[n++] = group(name);
            wolfSSL_CTX_UseSupportedCurve(c, (word16)group(name));
        }
        wolfSSL_CTX_set_groups(c, list, n);
        free(copy);
    }
    return c;
}

static WOLFSSL *start(WOLFSSL_CTX *c, int fd) {
    WOLFSSL *s = wolfSSL_new(c);
    if (want("export")) wolfSSL_KeepArrays(s);
    wolfSSL_set_fd(s, fd);
    if (want("alpn")) {
        char list[256];
        snprintf(list, sizeof list, "%s", want("alpn"));
        wolfSSL_UseALPN(s, list, (unsigned)strlen(list), WOLFSSL_ALPN_FAILED_ON_MISMATCH);
    }
    return s;
}

static void report(FILE *to, WOLFSSL *s) {
    char *alpn = NULL;
    unsigned short length = 0;
    wolfSSL_ALPN_GetProtocol(s, &alpn, &length);
    const char *curve = wolfSSL_get_curve_name(s);
    char exported[65] = "";
    if (want("export")) {
        unsigned char key[32];
        const char *label = want("export");
        if (wolfSSL_export_keying_material(s, key, 32, label, strlen(label), NULL, 0, 0) != WOLFSSL_SUCCESS) fail("export", 0);
        for (int i = 0; i < 32; i++) sprintf(exported + 2 * i, "%02x", key[i]);
    }
    fprintf(to, "report version=%s suite=%s group=%s alpn=%.*s resumed=%d exporter=%s\n", wolfSSL_get_version(s),
            wolfSSL_get_cipher_name(s), curve ? curve : "", (int)length, alpn ? alpn : "", wolfSSL_session_reused(s), exported);
    fflush(to);
}

static void answer(WOLFSSL_CTX *c, int fd) {
    char buffer[CHUNK];
    WOLFSSL *s = start(c, fd);
    int n = wolfSSL_accept(s);
    if (n != WOLFSSL_SUCCESS) {
        char text[80];
        fprintf(stderr, "connection: %s\n", wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(s, n), text));
    } else {
        report(stdout, s);
        while ((n = wolfSSL_read(s, buffer, CHUNK)) > 0)
            if (wolfSSL_write(s, buffer, n) != n) break;
        wolfSSL_shutdown(s);
    }
    wolfSSL_free(s);
    close(fd);
}

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in a = {0};
    a.sin_family = AF_INET;
    a.sin_port = htons((unsigned short)port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void serve(void) {
    WOLFSSL_CTX *c = context(1);
    struct sockaddr_in a = loopback(0);
    socklen_t size = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&a, size) || listen(listener, 16)) fail("listen", 0);
    getsockname(listener, (struct sockaddr *)&a, &size);
    printf("port=%d\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) answer(c, accept(listener, NULL, NULL));
}

static void visit(void) {
    WOLFSSL_CTX *c = context(0);
    WOLFSSL_SESSION *session = NULL;
    static char payload[16 << 20], buffer[CHUNK];
    size_t length = fread(payload, 1, sizeof payload, stdin);
    int times = want("times") ? atoi(want("times")) : 1;
    for (int turn = 0; turn < times; turn++) {
        struct sockaddr_in a = loopback(atoi(want("port")));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof a)) fail("connect", 0);
        WOLFSSL *s = start(c, fd);
        wolfSSL_UseSNI(s, WOLFSSL_SNI_HOST_NAME, want("name"), (unsigned short)strlen(want("name")));
        wolfSSL_check_domain_name(s, want("name"));
        if (want("later")) wolfSSL_allow_post_handshake_auth(s);
        if (want("fragment")) wolfSSL_UseMaxFragment(s, WOLFSSL_MFL_2_10);
#ifdef HAVE_SESSION_TICKET
        wolfSSL_UseSessionTicket(s);
#endif
        if (session) wolfSSL_set_session(s, session);
        int done = wolfSSL_connect(s);
        if (done != WOLFSSL_SUCCESS) fail("handshake", wolfSSL_get_error(s, done));
        for (size_t at = 0; at < length; at += CHUNK) {
            int part = (int)(length - at < CHUNK ? length - at : CHUNK);
            if (wolfSSL_write(s, payload + at, part) != part) fail("write", 0);
            for (int left = part; left > 0;) {
                int n = wolfSSL_read(s, buffer, left);
                if (n <= 0) fail("read", wolfSSL_get_error(s, n));
                fwrite(buffer, 1, (size_t)n, stdout);
                left -= n;
            }
        }
        report(stderr, s);
        session = wolfSSL_get1_session(s);
        wolfSSL_shutdown(s);
        wolfSSL_free(s);
        close(fd);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    argument_count = argc;
    arguments = argv;
    signal(SIGPIPE, SIG_IGN);
    wolfSSL_Init();
    if (argc > 1 && !strcmp(argv[1], "version")) puts(wolfSSL_lib_version());
    else if (argc > 1 && !strcmp(argv[1], "server")) serve();
    else visit();
    return 0;
}
