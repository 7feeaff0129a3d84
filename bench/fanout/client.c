/* Opens many event streams and counts what they deliver. One thread, epoll, no allocation while it runs.
 *
 * usage: client PORT PATH CONNECTIONS SPREAD_SECONDS [HEADER]
 *
 * Prints "open N" when every stream has its first bytes. Each event carries "seq":N,"sentNs":T somewhere in its
 * data; per stream the numbers must be consecutive. Commands on stdin: "stats" prints one JSON line and begins
 * a new count; "stall N" stops reading N of the streams; "quit".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CARRY 96
#define BUFFER (256 * 1024)
#define BUCKETS 2000000 /* of 10 microseconds: 20 seconds */
#define BUCKET_NS 10000

struct stream {
    int fd, carried, open, number;
    long long last_seq;
    char carry[CARRY];
};

static struct stream *streams;
static int total, opened, lost, epoll;
static unsigned buckets[BUCKETS + 1];
static long long deliveries, out_of_order, bytes, first_ns, last_ns;
static const char *request;

static long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void open_stream(struct stream *s, int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) die("socket");
    s->last_seq = -1;
    s->carried = s->open = 0;
    if (connect(s->fd, (struct sockaddr *)&at, sizeof at) < 0 && errno != EINPROGRESS) die("connect");
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = s};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &e) < 0) die("epoll_ctl");
}

static void ask(struct stream *s) {
    if (send(s->fd, request, strlen(request), MSG_NOSIGNAL) < 0) die("send");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    epoll_ctl(epoll, EPOLL_CTL_MOD, s->fd, &e);
}

/* Counts the events in a buffer; what may be the beginning of one is carried to the next read. */
static int count(struct stream *s, char *from, char *to, long long now) {
    static const char mark[] = "\"seq\":";
    char *at = from;
    for (;;) {
        char *found = memmem(at, to - at, mark, sizeof mark - 1);
        if (!found) break;
        char *rest = memmem(found, to - found, "\"sentNs\":", 9);
        char *end = rest ? memchr(rest, '}', to - rest) : NULL;
        if (!end) {
            at = found;
            break;
        }
        long long seq = atoll(found + sizeof mark - 1);
        long long late = now - atoll(rest + 9);
        if (s->last_seq >= 0 && seq != s->last_seq + 1) out_of_order++;
        s->last_seq = seq;
        deliveries++;
        last_ns = now;
        long long bucket = late < 0 ? 0 : late / BUCKET_NS;
        buckets[bucket > BUCKETS ? BUCKETS : bucket]++;
        at = end;
    }
    int left = to - at;
    return left > CARRY ? CARRY : left;
}

static void receive(struct stream *s) {
    static char space[CARRY + BUFFER + 1];
    char *data = space + CARRY;
    for (;;) {
        ssize_t got = read(s->fd, data, BUFFER);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            close(s->fd);
            s->fd = -1;
            lost++;
            return;
        }
        if (!s->open) {
            if (strncmp(data, "HTTP/1.1 200", 12)) {
                data[got] = 0;
                fprintf(stderr, "refused: %.200s\n", data);
                exit(1);
            }
            s->open = 1;
            opened++;
        }
        bytes += got;
        char *from = data - s->carried;
        memcpy(from, s->carry, s->carried);
        s->carried = count(s, from, data + got, now_ns());
        memcpy(s->carry, data + got - s->carried, s->carried);
        if (got < BUFFER) return;
    }
}

static double percentile(double p) {
    long long want = deliveries * p, seen = 0;
    for (int i = 0; i <= BUCKETS; i++)
        if ((seen += buckets[i]) > want) return i * (BUCKET_NS / 1e6);
    return -1;
}

static void print_stats(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double cpu = u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    printf("{\"open\":%d,\"lost\":%d,\"deliveries\":%lld,\"outOfOrder\":%lld,\"bytes\":%lld,\"p50Ms\":%.2f,"
           "\"p99Ms\":%.2f,\"maxMs\":%.2f,\"seconds\":%.3f,\"cpuSeconds\":%.3f}\n",
           opened, lost, deliveries, out_of_order, bytes, percentile(0.5), percentile(0.99), percentile(0.99999),
           (last_ns - first_ns) / 1e9, cpu);
    fflush(stdout);
}

static void begin_count(void) {
    memset(buckets, 0, sizeof buckets);
    deliveries = out_of_order = bytes = 0;
    first_ns = last_ns = now_ns();
}

static void command(void) {
    char line[64];
    ssize_t got = read(0, line, sizeof line - 1);
    if (got <= 0) exit(0);
    line[got] = 0;
    if (!strncmp(line, "quit", 4)) exit(0);
    if (!strncmp(line, "peek", 4)) print_stats();
    if (!strncmp(line, "stats", 5)) {
        print_stats();
        begin_count();
    }
    if (!strncmp(line, "stall", 5))
        for (int i = 0; i < atoi(line + 5) && i < total; i++) epoll_ctl(epoll, EPOLL_CTL_DEL, streams[i].fd, NULL);
}

int main(int argc, char **argv) {
    if (argc < 5) return 2;
    int port = atoi(argv[1]);
    total = atoi(argv[3]);
    double spread = atof(argv[4]);
    char *text;
    if (asprintf(&text, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n%s%s\r\n", argv[2],
                 argc > 5 ? argv[5] : "", argc > 5 ? "\r\n" : "") < 0)
        return 1;
    request = text;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    streams = calloc(total, sizeof *streams);
    epoll = epoll_create1(0);
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
    begin_count();
    int begun = 0, announced = 0;
    long long start = now_ns();
    for (;;) {
        /* With a spread, when each is due; without, as fast as they are answered, 100 at a time under way. */
        while (begun < total) {
            if (spread > 0 ? now_ns() < start + (long long)(spread * 1e9 * begun / total) : begun - opened >= 100)
                break;
            streams[begun].number = begun;
            open_stream(&streams[begun++], port);
        }
        if (opened == total && !announced) {
            announced = 1;
            printf("open %d %.3f\n", opened, (now_ns() - start) / 1e9);
            fflush(stdout);
        }
        struct epoll_event events[512];
        int ready = epoll_wait(epoll, events, 512, begun < total ? 1 : -1);
        for (int i = 0; i < ready; i++) {
            struct stream *s = events[i].data.ptr;
            if (!s) command();
            else if (events[i].events & EPOLLOUT) ask(s);
            else receive(s);
        }
    }
}
