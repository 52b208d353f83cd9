// The plot of a comparison.
#ifndef TUB_CLI_COMPARE_PLOT_H
#define TUB_CLI_COMPARE_PLOT_H

#include <tubelet/tubelet.h>

// Writes a self-contained SVG: cosine over lags. Returns 0, or an exit code after a message.
int cli_compare_plot(const char *path, const char *a, const char *b, const tub_compare_totals *totals);

#endif
