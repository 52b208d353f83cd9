// tubelet presets: settings of data sets, as text, JSON, or docs/presets.md.
#include <stdio.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"

typedef struct preset_text {
    char fps[16], dim[16], rows[16], file[TUB_LAYOUT_NAME + 32];
    tub_grid grid;
} preset_text;

static void number_or(int number, const char *otherwise, char out[16])
{
    if (number)
        snprintf(out, 16, "%d", number);
    else
        snprintf(out, 16, "%s", otherwise);
}

static preset_text describe(const tub_preset *p)
{
    preset_text out = {0};
    const tub_layout *l = &p->layout;
    snprintf(out.fps, sizeof out.fps, p->sampling.fps > 0 ? "%g" : "native", p->sampling.fps);
    number_or(p->dim, "any", out.dim);
    number_or(p->max_length, "-", out.rows);
    snprintf(out.file, sizeof out.file, "%s.%s%s%s", l->name ? l->name : "{stem}",
             l->container ? tub_container_name(l->container) : "npy", l->key ? ":" : "", l->key ? l->key : "");
    tub_sampling_grid(&p->sampling, &out.grid);
    return out;
}

static void print_json(const tub_preset *p, const preset_text *text)
{
    const tub_sampling *s = &p->sampling;
    const tub_layout *l = &p->layout;
    cli_print_json(json_pack(
        "{s:s, s:s, s:o, s:i, s:i, s:i, s:s, s:s, s:f, s:f, s:o, s:o, s:s, s:s, s:s?, s:s}", "preset", p->name,
        "summary", p->summary, "fps", s->fps > 0 ? json_real(s->fps) : json_null(), "clip_length", s->clip_length,
        "stride", s->stride, "interval", s->interval, "align", tub_align_name(s->align), "transform",
        p->transform.base == TUB_TRANSFORM_OPENTAD ? "opentad" : "model", "num_frames", text->grid.num_frames,
        "offset_frames", text->grid.offset, "dim", p->dim ? json_integer(p->dim) : json_null(), "max_length",
        p->max_length ? json_integer(p->max_length) : json_null(), "file_name", l->name ? l->name : "{stem}",
        "container", l->container ? tub_container_name(l->container) : "npy", "key", l->key, "reference",
        p->reference));
}

// clang-format off
static const char *const head[] = {
    "# Presets",
    "",
    "<!-- Made by `tubelet presets --markdown` (`make docs-presets`): don't edit. A test compares the two. -->",
    "",
    "`tubelet extract --preset NAME` takes a data set's windows, transform and file names from this table; options given",
    "explicitly win. `tubelet presets` prints it as text, with `--json` as one object a preset.",
    "",
    "The four bare names are the original extraction script's settings. The others are published feature sets, as the",
    "configurations of those who read them say: windows and files. The model is yours, and some sets are of networks that",
    "aren't here (I3D, TSP, SlowFast, Omnivore, EgoVLP). *C* is what the published files have; `tubelet info` says what",
    "yours gives (InternVideo2: 768, with `--pool mean` the published 1408 or 3200).",
    "",
    "With the transform `model` pixels are prepared as the checkpoint says. `opentad` is the original script's: a squash",
    "to 224x224, 0 to 1, without mean and std, also for checkpoints that were trained with them; `--transform model`",
    "beside such a preset takes the checkpoint's own.",
    "",
    "Row i stands at frame i * stride + offset of the video at the given rate; ActionFormer's `num_frames` is twice the",
    "offset. *Rows* is what the readers' models take at most, or resize to. *File*: the published files' name; `{bare}` is",
    "the video's name without a leading `v_`, and what stands behind a colon is the array's name in a `.npz`. Where theirs",
    "are `.pt` (InternVideo2), ours are `.npy`, and `tubelet consumer-config` prints how the same loaders read them.",
    "",
    "| Preset | fps | Clip | Interval | Stride | Alignment | Offset | Transform | C | Rows | File | Reference |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
};
// clang-format on

static void print_markdown(const tub_preset *p, const preset_text *text)
{
    const tub_sampling *s = &p->sampling;
    cli_say(stdout, "| `%s` | %s | %d | %d | %d | %s | %g | %s | %s | %s | `%s` | %s |", p->name, text->fps,
            s->clip_length, s->interval, s->stride, tub_align_name(s->align), text->grid.offset,
            p->transform.base == TUB_TRANSFORM_OPENTAD ? "opentad" : "model", text->dim, text->rows, text->file,
            p->reference);
}

static void print_text(const tub_preset *p, const preset_text *text)
{
    const tub_sampling *s = &p->sampling;
    cli_say(stdout, "%-27s  %6s  %4d  %6d  %-7s  %6g  %4s  %4s  %s", p->name, text->fps, s->clip_length, s->stride,
            tub_align_name(s->align), text->grid.offset, text->dim, text->rows, text->file);
    cli_say(stdout, "  %s", p->summary);
    cli_say(stdout, "  from: %s", p->reference);
}

int cli_presets(const cli_arguments *args)
{
    const bool json = cli_given(args, OPTION_JSON), markdown = cli_given(args, OPTION_MARKDOWN);
    for (size_t i = 0; markdown && i < sizeof head / sizeof *head; i++)
        cli_say(stdout, "%s", head[i]);
    if (!json && !markdown)
        cli_say(stdout, "%-27s  %6s  %4s  %6s  %-7s  %6s  %4s  %4s  %s", "PRESET", "FPS", "CLIP", "STRIDE", "ALIGN",
                "OFFSET", "C", "ROWS", "FILE");
    for (size_t i = 0; tub_preset_at(i); i++) {
        const tub_preset *p = tub_preset_at(i);
        const preset_text text = describe(p);
        if (json)
            print_json(p, &text);
        else if (markdown)
            print_markdown(p, &text);
        else
            print_text(p, &text);
    }
    return CLI_OK;
}
