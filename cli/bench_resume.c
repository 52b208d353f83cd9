// tubelet bench --case resume: what a run costs if everything is already done.
//
// One tiny video is extracted. Its features and its line of the manifest are then repeated under the names of all
// others, as if each had been extracted. The timed part is the whole command, over the folder of all videos.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"
#include "cli.h"
#include "console.h"
#include "interrupt.h"

enum { OUTPUTS = 100000, FRAMES = 20, MANIFEST_MOST = 1 << 16 };

typedef struct resume_bench {
    char folder[BENCH_PATH];
    char path[BENCH_PATH + 64]; // scratch
    const char *model;          // NULL: one of our own
    char own_model[BENCH_PATH + 8], videos[BENCH_PATH + 8], out[BENCH_PATH + 8];
    int outputs, repetitions;
    double seconds[BENCH_REPETITIONS];
    double peak_bytes;
} resume_bench;

static int fail_to_write(const char *path)
{
    return cli_refuse(CLI_OUTPUT, "%s: can't be written: %s", path, strerror(errno));
}

static int write_file(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(data, 1, bytes, f) == bytes;
    if (f)
        ok &= fclose(f) == 0;
    return ok ? CLI_OK : fail_to_write(path);
}

// Reads the whole file into memory, which the caller frees; NULL after a message.
static char *read_file(const char *path, size_t *bytes)
{
    char *data = malloc(MANIFEST_MOST);
    FILE *f = fopen(path, "rb");
    *bytes = f && data ? fread(data, 1, MANIFEST_MOST - 1, f) : 0;
    if (f)
        fclose(f);
    if (*bytes > 0) {
        data[*bytes] = '\0';
        return data;
    }
    cli_refuse(CLI_FATAL, "%s: can't be read back", path);
    free(data);
    return NULL;
}

// An animated GIF of one pixel.
static size_t make_video(unsigned char *out)
{
    static const unsigned char head[] = {'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255};
    static const unsigned char frame[] = {0x21, 0xf9, 4, 4, 4, 0, 0, 0, 0x2c, 0, 0, 0,
                                          0,    1,    0, 1, 0, 0, 2, 2, 0x44, 1, 0};
    size_t at = sizeof head;
    memcpy(out, head, sizeof head);
    for (int i = 0; i < FRAMES; i++, at += sizeof frame)
        memcpy(out + at, frame, sizeof frame);
    out[at++] = 0x3b;
    return at;
}

static int make_videos(resume_bench *b)
{
    unsigned char video[64 + 32 * FRAMES];
    size_t bytes = make_video(video);
    int code = mkdir(b->videos, 0700) == 0 ? CLI_OK : fail_to_write(b->videos);
    for (int i = 0; code == CLI_OK && i < b->outputs && !cli_interrupted(); i++) {
        snprintf(b->path, sizeof b->path, "%s/v%07d.gif", b->videos, i);
        code = write_file(b->path, video, bytes);
    }
    return code;
}

static int extract_first(resume_bench *b, const cli_arguments *args)
{
    bench_child child = {0};
    snprintf(b->path, sizeof b->path, "%s/v%07d.gif", b->videos, 0);
    int code = bench_extract(args, b->path, b->model, b->out, &child);
    bench_child_finish(&child);
    return code;
}

// The first video's manifest line, rewritten for another video whose features are at b->path.
static char *line_of(resume_bench *b, const json_t *first, int i)
{
    char name[32];
    struct stat about;
    json_t *line = stat(b->path, &about) == 0 ? json_deep_copy(first) : NULL;
    snprintf(b->path, sizeof b->path, "%s/v%07d.gif", b->videos, i);
    snprintf(name, sizeof name, "v%07d.npy", i);
    json_object_set_new(line, "video", json_string(b->path));
    json_object_set_new(line, "output", json_string(name));
    if (json_object_get(line, "mtime_ns"))
        json_object_set_new(line, "mtime_ns",
                            json_integer((json_int_t)about.st_mtim.tv_sec * 1000000000 + about.st_mtim.tv_nsec));
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(line);
    return text;
}

static int add_output(resume_bench *b, const json_t *first, FILE *manifest, const char *features, size_t bytes, int i)
{
    snprintf(b->path, sizeof b->path, "%s/v%07d.npy", b->out, i);
    int code = write_file(b->path, features, bytes);
    char *line = code == CLI_OK ? line_of(b, first, i) : NULL;
    if (code == CLI_OK && (!line || fprintf(manifest, "%s\n", line) < 0))
        code = fail_to_write("manifest.jsonl");
    free(line);
    return code;
}

static int add_outputs(resume_bench *b)
{
    size_t bytes = 0, length = 0;
    snprintf(b->path, sizeof b->path, "%s/v%07d.npy", b->out, 0);
    char *features = read_file(b->path, &bytes);
    snprintf(b->path, sizeof b->path, "%s/manifest.jsonl", b->out);
    char *lines = features ? read_file(b->path, &length) : NULL;
    FILE *manifest = lines ? fopen(b->path, "a") : NULL;
    json_t *first = lines ? json_loads(lines, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    int code = manifest && first ? CLI_OK : lines ? fail_to_write(b->path) : CLI_FATAL;
    for (int i = 1; code == CLI_OK && i < b->outputs && !cli_interrupted(); i++)
        code = add_output(b, first, manifest, features, bytes, i);
    if (manifest && fclose(manifest) != 0 && code == CLI_OK)
        code = fail_to_write(b->path);
    json_decref(first);
    free(lines);
    free(features);
    return code;
}

static int prepare(resume_bench *b, const cli_arguments *args)
{
    tub_error err;
    snprintf(b->videos, sizeof b->videos, "%s/videos", b->folder);
    snprintf(b->out, sizeof b->out, "%s/out", b->folder);
    snprintf(b->own_model, sizeof b->own_model, "%s/model", b->folder);
    b->model = cli_text(args, OPTION_MODEL, NULL);
    if (!b->model) {
        b->model = b->own_model;
        if (tub_checkpoint_init("dinov2:tiny", b->model, 0, &err) != TUB_OK)
            return cli_fail(&err);
    }
    int code = make_videos(b);
    if (code == CLI_OK)
        code = extract_first(b, args);
    return code == CLI_OK ? add_outputs(b) : code;
}

static int measure(resume_bench *b, const cli_arguments *args)
{
    int code = CLI_OK;
    for (int i = 0; code == CLI_OK && i < b->repetitions; i++) {
        bench_child child = {0};
        code = cli_interrupted();
        if (code == CLI_OK)
            code = bench_extract(args, b->videos, b->model, b->out, &child);
        json_int_t done = json_integer_value(json_object_get(child.end, "done_before"));
        if (code == CLI_OK && done != b->outputs)
            code = cli_refuse(CLI_FATAL, "the run took %lld of %d outputs for done", (long long)done, b->outputs);
        b->seconds[i] = child.seconds;
        b->peak_bytes = child.peak_bytes > b->peak_bytes ? child.peak_bytes : b->peak_bytes;
        bench_child_finish(&child);
    }
    return code;
}

int cli_bench_resume(const cli_arguments *args)
{
    resume_bench b = {.outputs = cli_number(args, OPTION_OUTPUTS, OUTPUTS),
                      .repetitions = cli_number(args, OPTION_REPEAT, 5)};
    cli_catch_interrupts();
    if (!bench_folder_make(b.folder))
        return CLI_OUTPUT;
    int code = prepare(&b, args);
    if (code == CLI_OK)
        code = measure(&b, args);
    bench_folder_remove(b.folder);
    if (code != CLI_OK)
        return code;
    bench_spread spread = bench_spread_of(b.seconds, b.repetitions);
    json_t *result = json_pack("{s:s, s:i, s:f}", "case", "resume", "outputs", b.outputs, "peak_bytes", b.peak_bytes);
    bench_add_seconds(result, spread, b.repetitions);
    return bench_print(args, result, "resume: %d outputs found done in %.3f s (median of %d); %.0f MB at most",
                       b.outputs, spread.median, b.repetitions, b.peak_bytes / 1e6);
}
