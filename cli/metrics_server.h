// A small HTTP server for one page, /metrics. It has one thread, serves one connection at a time and times out soon.
#ifndef TUB_CLI_METRICS_SERVER_H
#define TUB_CLI_METRICS_SERVER_H

typedef struct cli_metrics_server cli_metrics_server;

// "PORT" on the loopback interface, or "HOST:PORT" ("[::1]:9400"). Port 0: any free one. stderr always shows the port.
// Returns 0, or an exit code after a message.
int cli_metrics_server_open(const char *address, cli_metrics_server **out);
// Sets the page. Takes ownership of the text, which must come from malloc().
void cli_metrics_server_set(cli_metrics_server *server, char *text);
// Accepts a pointer to NULL.
void cli_metrics_server_close(cli_metrics_server **server);

#endif
