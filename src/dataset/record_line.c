#include "record_line.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "name_text.h"

static void put(json_t *line, const char *key, json_t *value)
{
    json_object_set_new(line, key, value);
}

// A number rounded to what is worth reading. JSON has no infinity.
static json_t *rounded(double value)
{
    return isfinite(value) ? json_real(round(value * 1e6) / 1e6) : json_null();
}

static json_t *text_json(const char *text)
{
    tub_arena arena;
    tub_arena_init(&arena);
    const char *safe = tub_name_text(&arena, text);
    json_t *value = safe ? json_string(safe) : NULL;
    tub_arena_finish(&arena);
    return value;
}

static json_t *known(double value)
{
    return value > 0 ? rounded(value) : json_null();
}

static void put_origin(json_t *line, const tub_entry *entry)
{
    char text[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    put(line, "video_bytes", entry->bytes >= 0 ? json_integer(entry->bytes) : json_null());
    put(line, "tubelet", json_string(tub_version()));
    put(line, "time", json_string(text));
}

static char *print(json_t *line, bool whole)
{
    char *text = whole ? tub_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(line);
    return text;
}

static void put_grid(json_t *line, const json_t *root)
{
    static const char *const keys[] = {"clip_length", "stride", "interval", "align", "pool", "dtype"};
    static const char *const consumers[] = {"num_frames", "offset_frames"};
    const json_t *settings = json_object_get(root, "settings"), *grid = json_object_get(root, "consumers");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(line, keys[i], json_object_get(settings, keys[i]));
    for (size_t i = 0; i < sizeof consumers / sizeof *consumers; i++)
        json_object_set(line, consumers[i], json_object_get(grid, consumers[i]));
}

static json_t *seconds_json(const tub_result *r, double save)
{
    json_t *out = json_object();
    put(out, "init", rounded(r->init_seconds));
    put(out, "decode", rounded(r->decode_seconds));
    put(out, "convert", rounded(r->convert_seconds));
    put(out, "forward", rounded(r->forward_seconds));
    put(out, "save", rounded(save));
    put(out, "wall", rounded(r->wall_seconds));
    return out;
}

char *tub_record_line(const tub_entry *entry, const tub_finished *finished, const tub_settings *settings,
                      const tub_layout *layout)
{
    const tub_result *r = finished->result;
    json_t *line = json_object(), *video = text_json(entry->path);
    char *output = tub_format("%s%s", entry->key, tub_layout_extension(layout));
    bool whole = line && video && output;
    put(line, "video", video);
    put(line, "output", output ? json_string(output) : NULL);
    put(line, "status", json_string(r->info.partial ? "partial" : "ok"));
    if (r->info.partial)
        put(line, "reason", text_json(r->text[0] ? r->text : r->info.reason));
    put(line, "short", json_boolean(r->is_short));
    put(line, "T", json_integer(r->total_rows));
    put(line, "C", json_integer(finished->dim));
    put(line, "frames", json_integer(r->info.frames));
    put(line, "fps", known(r->fps));
    put(line, "fps_native", known(r->info.fps));
    put(line, "frames_used", json_integer(r->frames));
    put(line, "duration", known(r->info.duration));
    put_grid(line, settings->root);
    put(line, "file_dtype", json_string(layout->dtype == TUB_F16 ? "float16" : "float32"));
    put(line, "settings", json_string(settings->settings));
    put(line, "model", json_string(settings->model));
    put(line, "bytes", json_integer(finished->bytes));
    put(line, "checksum", json_string(finished->checksum));
    put(line, "mtime_ns", json_integer(finished->mtime));
    put(line, "seconds", seconds_json(r, finished->save_seconds));
    put_origin(line, entry);
    tub_free(output);
    return print(line, whole);
}

char *tub_failure_line(const tub_entry *entry, const tub_result *result)
{
    json_t *line = json_object(), *video = text_json(entry->path);
    bool whole = line && video;
    put(line, "video", video);
    put(line, "stem", json_string(entry->key));
    put(line, "status", json_string("failed"));
    put(line, "error", json_string(tub_status_name(result->status)));
    put(line, "reason", text_json(result->text));
    put_origin(line, entry);
    return print(line, whole);
}
