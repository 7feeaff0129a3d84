/* The floor: one send() of one buffer to each socket for each event, and nothing else. Not a server that anybody
 * would run; what it costs is the kernel's price, which nobody who sends each event at once can go below. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX = 65536, LINE = 65536 };
static const char HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "1b\r\nevent: connected\ndata: {}\n\n\r\n";
static const char NOT_FOUND[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

static int streams[MAX], stream_count;
static char is_stream[MAX];
static int publisher = -1;

static void send_all(int socket, const char *data, size_t length) {
    while (length) {
        ssize_t sent = send(socket, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno != EAGAIN) return;
            struct pollfd room = {socket, POLLOUT, 0};
            poll(&room, 1, -1);
            continue;
        }
        data += sent;
        length -= sent;
    }
}

static void publish(const char *line, int length) {
    static int offset;
    static char frame[LINE + 256], chunk[LINE + 300];
    int size = snprintf(frame, sizeof frame, "id: %d\nevent: document_processing\ndata: %.*s\n\n", offset++, length, line);
    int whole = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", size, frame);
    for (int index = 0; index < stream_count; index++) send_all(streams[index], chunk, whole);
}

/* The publisher sends a chunk for each line; the lines that are events begin with a brace. */
static void take(const char *data, ssize_t length) {
    static char line[LINE];
    static int filled;
    for (ssize_t index = 0; index < length; index++) {
        if (data[index] != '\n') {
            if (filled < LINE) line[filled++] = data[index];
            continue;
        }
        if (filled && line[0] == '{') publish(line, filled);
        filled = 0;
    }
}

static void serve(int socket) {
    static char data[LINE];
    ssize_t length = recv(socket, data, sizeof data, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) {
        close(socket);
        return;
    }
    if (socket == publisher || !strncmp(data, "POST /publish", length < 13 ? length : 13)) {
        publisher = socket;
        take(data, length);
    } else if (!strncmp(data, "GET /events", length < 11 ? length : 11) && !is_stream[socket]) {
        is_stream[socket] = 1;
        streams[stream_count++] = socket;
        send_all(socket, HEAD, sizeof HEAD - 1);
    } else {
        send_all(socket, NOT_FOUND, sizeof NOT_FOUND - 1);
    }
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(getenv("PORT")))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return perror("listen"), 1;
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poller, ready, 256, -1);
        for (int index = 0; index < count; index++) {
            if (ready[index].data.fd != listener) {
                serve(ready[index].data.fd);
                continue;
            }
            int socket = accept(listener, 0, 0);
            if (socket < 0 || socket >= MAX) continue;
            setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            event.data.fd = socket;
            epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event);
        }
    }
}
