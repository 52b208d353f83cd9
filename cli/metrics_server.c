#include "metrics_server.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli.h"
#include "console.h"

enum { LONGEST_REQUEST = 4096, PATIENCE = 2 };

struct cli_metrics_server {
    int listener, wake[2]; // writing into wake[1] ends the thread
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; // protects the text
    char *text;
};

// Splits "HOST:PORT", "[HOST]:PORT" or "PORT"; host NULL: the loopback interface.
static bool split(char *address, char **host, char **port)
{
    char *colon = strrchr(address, ':');
    *host = NULL;
    *port = colon ? colon + 1 : address;
    if (colon) {
        *colon = '\0';
        *host = address;
        size_t length = strlen(address);
        if (*address == '[' && address[length - 1] == ']') {
            address[length - 1] = '\0';
            ++*host;
        }
    }
    char *end = NULL;
    unsigned long number = strtoul(*port, &end, 10);
    return **port >= '0' && **port <= '9' && !*end && number <= 65535 && (!*host || **host);
}

static int listen_on(const struct addrinfo *where)
{
    int yes = 1, s = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC, where->ai_protocol);
    if (s < 0)
        return -1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(s, where->ai_addr, where->ai_addrlen) || listen(s, 8)) {
        int error = errno;
        close(s);
        errno = error;
        return -1;
    }
    return s;
}

static int bind_address(cli_metrics_server *server, const char *address)
{
    char *text = strdup(address), *host = NULL, *port = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    const char *why = NULL;
    if (!text || !split(text, &host, &port)) {
        free(text);
        return cli_refuse(CLI_USAGE, "--metrics-port %s: give PORT or HOST:PORT", address);
    }
    int error = getaddrinfo(host ? host : "127.0.0.1", port, &hints, &found);
    if (error)
        why = gai_strerror(error);
    else if ((server->listener = listen_on(found)) < 0)
        why = strerror(errno);
    if (found)
        freeaddrinfo(found);
    free(text);
    return why ? cli_refuse(CLI_USAGE, "--metrics-port %s: %s", address, why) : CLI_OK;
}

static void send_all(int s, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(s, data, bytes, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        data += sent;
        bytes -= (size_t)sent;
    }
}

static void answer(int s, const char *status, const char *type, const char *body)
{
    char head[256];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n\r\n",
                          status, type, strlen(body));
    send_all(s, head, (size_t)length);
    send_all(s, body, strlen(body));
}

// Reads up to the empty line that ends a request's head. False: too long, too slow, or gone.
static bool read_request(int s, char *request)
{
    size_t used = 0;
    while (used < LONGEST_REQUEST) {
        ssize_t got = recv(s, request + used, LONGEST_REQUEST - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
            return true;
    }
    return false;
}

static void serve(cli_metrics_server *server, int s)
{
    char request[LONGEST_REQUEST + 1];
    struct timeval patience = {.tv_sec = PATIENCE};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!read_request(s, request))
        return;
    if (strncmp(request, "GET ", 4)) {
        answer(s, "405 Method Not Allowed", "text/plain", "only GET\n");
    } else if (strncmp(request + 4, "/metrics", 8) || !strchr(" ?", request[12])) {
        answer(s, "404 Not Found", "text/plain", "see /metrics\n");
    } else {
        pthread_mutex_lock(&server->lock);
        char *text = strdup(server->text ? server->text : "");
        pthread_mutex_unlock(&server->lock);
        answer(s, "200 OK", "text/plain; version=0.0.4", text ? text : "");
        free(text);
    }
}

static void *run(void *context)
{
    cli_metrics_server *server = context;
    for (;;) {
        struct pollfd wait[2] = {{.fd = server->listener, .events = POLLIN}, {.fd = server->wake[0], .events = POLLIN}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (wait[1].revents)
            return NULL;
        int s = wait[0].revents & POLLIN ? accept4(server->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (s < 0)
            continue;
        serve(server, s);
        close(s);
    }
}

static void say_port(const cli_metrics_server *server)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (!getsockname(server->listener, (struct sockaddr *)&bound, &length) &&
        !getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                     NI_NUMERICHOST | NI_NUMERICSERV))
        cli_say(stderr, "metrics at http://%s%s%s:%s/metrics", strchr(host, ':') ? "[" : "", host,
                strchr(host, ':') ? "]" : "", port);
}

// The thread blocks signals: they are for the command's own thread.
static bool start(cli_metrics_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    server->started = pthread_create(&server->thread, NULL, run, server) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server->started;
}

int cli_metrics_server_open(const char *address, cli_metrics_server **out)
{
    cli_metrics_server *server = *out = calloc(1, sizeof *server);
    if (!server)
        return cli_refuse(CLI_FATAL, "out of memory");
    server->listener = server->wake[0] = server->wake[1] = -1;
    pthread_mutex_init(&server->lock, NULL);
    int code = bind_address(server, address);
    if (code != CLI_OK)
        return code;
    if (pipe(server->wake) || !start(server))
        return cli_refuse(CLI_FATAL, "--metrics-port %s: %s", address, strerror(errno));
    say_port(server);
    return CLI_OK;
}

void cli_metrics_server_set(cli_metrics_server *server, char *text)
{
    pthread_mutex_lock(&server->lock);
    char *before = server->text;
    server->text = text;
    pthread_mutex_unlock(&server->lock);
    free(before);
}

void cli_metrics_server_close(cli_metrics_server **out)
{
    cli_metrics_server *server = *out;
    if (!server)
        return;
    if (server->started) {
        ssize_t told = write(server->wake[1], "", 1);
        (void)told;
        pthread_join(server->thread, NULL);
    }
    for (int i = 0; i < 2; i++)
        if (server->wake[i] >= 0)
            close(server->wake[i]);
    if (server->listener >= 0)
        close(server->listener);
    pthread_mutex_destroy(&server->lock);
    free(server->text);
    free(server);
    *out = NULL;
}
