/* The shim as the runner starts it, thousands of times: it hands its arguments and its three streams to
 * launcher.py, which forks a process that has everything imported already, and ends as that one ended. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MUST_FAIL = 90 };

static int fail(const char *what) {
    perror(what);
    return MUST_FAIL;
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("BOGO_SOCKET");
    int line = socket(AF_UNIX, SOCK_STREAM, 0);
    if (path == NULL || strlen(path) >= sizeof address.sun_path) return fail("BOGO_SOCKET");
    strcpy(address.sun_path, path);
    if (connect(line, (struct sockaddr *)&address, sizeof address)) return fail("connect");

    uint32_t length = 0; /* the arguments, each with a zero byte behind it */
    for (int i = 1; i < argc; i++) length += strlen(argv[i]) + 1;

    int streams[3] = {0, 1, 2};
    char control[CMSG_SPACE(sizeof streams)] = {0};
    struct iovec part = {.iov_base = &length, .iov_len = sizeof length};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof streams);
    memcpy(CMSG_DATA(head), streams, sizeof streams);
    if (sendmsg(line, &message, 0) != sizeof length) return fail("sendmsg");
    for (int i = 1; i < argc; i++)
        if (write(line, argv[i], strlen(argv[i]) + 1) < 0) return fail("write");

    unsigned char code;
    return read(line, &code, 1) == 1 ? code : MUST_FAIL;
}
