#include "compare_plot.h"

#include <math.h>
#include <stdio.h>

#include "save_file.h"

enum { WIDTH = 760, HEIGHT = 360, LEFT = 64, RIGHT = 24, TOP = 64, BOTTOM = 56 };

typedef struct plot {
    FILE *to;
    const char *a, *b; // the folders
    const tub_compare_totals *totals;
    double least, most; // of the cosines that are shown
} plot;

static double x_of(const plot *p, double lag)
{
    return LEFT + (lag + p->totals->lag_most) / (2.0 * p->totals->lag_most) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const plot *p, double cosine)
{
    return TOP + (p->most - cosine) / (p->most - p->least) * (HEIGHT - TOP - BOTTOM);
}

// File names as text that is safe in XML.
static void put_text(FILE *to, const char *text)
{
    for (; *text; text++)
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else
            fputc((unsigned char)*text < 0x20 ? '?' : *text, to);
}

static void put_head(const plot *p)
{
    fprintf(p->to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n"
            "<style>:root{--ink:#1b1f24;--quiet:#6b7280;--paper:#fff;--line:#2563eb;--mark:#dc2626}"
            "@media(prefers-color-scheme:dark){:root{--ink:#e5e7eb;--quiet:#9ca3af;--paper:#111827;--line:#60a5fa;"
            "--mark:#f87171}}text{fill:var(--ink)}.quiet{fill:var(--quiet)}.grid{stroke:var(--quiet);stroke-opacity:.3}"
            "</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"var(--paper)\"/>\n<text x=\"%d\" y=\"24\" "
            "font-size=\"15\">How alike the rows are, when B is taken for later</text>\n<text x=\"%d\" y=\"44\" "
            "class=\"quiet\">A: ",
            WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, LEFT);
    put_text(p->to, p->a);
    fputs(", B: ", p->to);
    put_text(p->to, p->b);
    fprintf(p->to, ", %zu videos</text>\n", p->totals->videos);
}

static double round_step(double span)
{
    double step = pow(10, floor(log10(span / 4)));
    return span / step > 20 ? 5 * step : span / step > 8 ? 2 * step : step;
}

static void put_axes(const plot *p)
{
    double step = round_step(p->most - p->least);
    for (double c = ceil(p->least / step) * step; c <= p->most + 1e-9; c += step)
        fprintf(p->to,
                "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"quiet\" x=\"%d\" "
                "y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
                LEFT, WIDTH - RIGHT, y_of(p, c), y_of(p, c), LEFT - 8, y_of(p, c) + 4, fabs(c) < step / 2 ? 0 : c);
    int most = p->totals->lag_most, part = most >= 4 ? most / 4 : 1;
    for (int lag = -most; lag <= most; lag += part)
        fprintf(p->to, "<text class=\"quiet\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", x_of(p, lag),
                HEIGHT - BOTTOM + 20, lag);
    fprintf(p->to, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">lag of B in %s of A</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, p->totals->lag_in_rows ? "rows" : "frames");
    fprintf(p->to, "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">cosine</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2);
}

static void put_curve(const plot *p)
{
    const tub_compare_totals *t = p->totals;
    fputs("<polyline fill=\"none\" stroke=\"var(--line)\" stroke-width=\"2\" points=\"", p->to);
    for (int k = 0; k <= 2 * t->lag_most; k++)
        if (!isnan(t->lag_cosine[k]))
            fprintf(p->to, "%.1f,%.1f ", x_of(p, k - t->lag_most), y_of(p, t->lag_cosine[k]));
    fputs("\"/>\n", p->to);
    double best = t->lag_cosine[t->lag_most + (int)t->lag];
    if (isnan(best))
        return;
    fprintf(
        p->to,
        "<line stroke=\"var(--mark)\" stroke-dasharray=\"4 4\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><circle "
        "fill=\"var(--mark)\" r=\"4\" cx=\"%.1f\" cy=\"%.1f\"/><text x=\"%.1f\" y=\"%d\">%+g: %.4f</text>\n",
        x_of(p, t->lag), x_of(p, t->lag), TOP, HEIGHT - BOTTOM, x_of(p, t->lag), y_of(p, best), x_of(p, t->lag) + 8,
        HEIGHT - BOTTOM - 8, t->lag, best);
}

static void put_plot(FILE *to, const void *what)
{
    plot p = *(const plot *)what;
    p.to = to;
    put_head(&p);
    put_axes(&p);
    put_curve(&p);
    fputs("</svg>\n", to);
}

int cli_compare_plot(const char *path, const char *a, const char *b, const tub_compare_totals *totals)
{
    plot p = {.a = a, .b = b, .totals = totals, .least = 1, .most = -1};
    for (int k = 0; k <= 2 * totals->lag_most; k++)
        if (!isnan(totals->lag_cosine[k])) {
            p.least = fmin(p.least, totals->lag_cosine[k]);
            p.most = fmax(p.most, totals->lag_cosine[k]);
        }
    double margin = fmax(0.05 * (p.most - p.least), 0.001);
    p.least -= margin;
    p.most += margin;
    return cli_save_file(path, put_plot, &p);
}
