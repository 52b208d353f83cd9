// A small HTTP server for one page, /metrics. One thread, one connection at a time, each with little patience.
#ifndef TUB_CLI_METRICS_SERVER_H
#define TUB_CLI_METRICS_SERVER_H

typedef struct cli_metrics_server cli_metrics_server;

// "PORT" of the loopback interface, or "HOST:PORT" ("[::1]:9400"). Port 0: any; it is said on stderr in any case.
// Returns 0, or an exit code after a message.
int cli_metrics_server_open(const char *address, cli_metrics_server **out);
// The page from now on; takes the text, which free() frees.
void cli_metrics_server_set(cli_metrics_server *server, char *text);
// Accepts a pointer to NULL.
void cli_metrics_server_close(cli_metrics_server **server);

#endif
