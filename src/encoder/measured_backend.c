#include "measured_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "cache_path.h"
#include "clock.h"
#include "cpu.h"
#include "fail.h"
#include "folder_lock.h"
#include "json.h"
#include "measured_program.h"
#include "temp_name.h"

enum { ITEMS = 4, TURNS = 5, KEY = 384 };
static const double clearly = 1.1; // how many times faster than the first another must be

typedef struct machine {
    const tub_backend_ops *ops;
    tub_backend *backend;
    tub_executable *executable;
    double seconds; // of the best turn; 0: can't be measured
} machine;

static void key_of(const tub_candidates *c, char out[KEY])
{
    char name[128];
    tub_cpu_name("/proc/cpuinfo", name, sizeof name);
    int used = snprintf(out, KEY, "%s, %s, %s, tubelet %s %s", name, c->backends[0]->isa(), tub_dtype_name(c->dtype),
                        tub_version(), tub_backends_identity());
    for (int i = 0; i < c->count && used < KEY; i++) {
        char library[64] = "";
        if (c->backends[i]->library)
            c->backends[i]->library(library, sizeof library);
        if (library[0])
            used += snprintf(out + used, KEY - (size_t)used, ", %s", library);
    }
}

static const tub_backend_ops *named(const tub_candidates *c, const char *name)
{
    for (int i = 0; name && i < c->count; i++)
        if (strcmp(c->backends[i]->name, name) == 0)
            return c->backends[i];
    return NULL;
}

static void open_machine(machine *m, tub_team *team, const tub_program *program, tub_dtype dtype)
{
    const tub_open_params open = {.team = team};
    const tub_compile_params compile = {.dtype = dtype, .max_items = ITEMS};
    if (m->ops->open(&open, &m->backend, NULL) == TUB_OK)
        (void)m->ops->compile(m->backend, program, &compile, &m->executable, NULL);
}

static void close_machine(machine *m)
{
    m->ops->release(&m->executable);
    m->ops->close(&m->backend);
}

static void turn(machine *m, const tub_batch *batch, bool counts)
{
    const double start = tub_now();
    if (!m->executable || m->ops->run(m->executable, batch, NULL) != TUB_OK)
        return;
    const double seconds = tub_now() - start;
    if (counts && (m->seconds == 0 || seconds < m->seconds))
        m->seconds = seconds;
}

static void measure_all(machine *machines, int count, const tub_program *program)
{
    const tub_input *in = &program->input;
    const size_t bytes = (size_t)in->height * (size_t)in->width * 3;
    const int dim = program->values[program->feature].cols;
    uint8_t *frame = tub_alloc_aligned(1, bytes);
    float *rows = tub_calloc((size_t)ITEMS * (size_t)dim, sizeof *rows);
    const void *frames[ITEMS];
    for (int i = 0; i < ITEMS; i++)
        frames[i] = frame;
    for (size_t i = 0; frame && i < bytes; i++)
        frame[i] = (uint8_t)(i * 2654435761u >> 24);
    const tub_batch batch = {.items = ITEMS, .frames = frames, .rows = rows};
    for (int t = 0; frame && rows && t <= TURNS; t++)
        for (int i = 0; i < count; i++)
            turn(&machines[i], &batch, t > 0);
    tub_free(frame);
    tub_free(rows);
}

static void measure(const tub_candidates *c, machine machines[TUB_CANDIDATES])
{
    tub_team *team = NULL;
    tub_program *program = NULL;
    tub_arena arena;
    tub_arena_init(&arena);
    if (tub_team_open(tub_usable_processors(), &team, NULL) == TUB_OK &&
        tub_measured_program(&arena, &program, NULL) == TUB_OK) {
        for (int i = 0; i < c->count; i++)
            open_machine(&machines[i], team, program, c->dtype);
        measure_all(machines, c->count, program);
        for (int i = 0; i < c->count; i++)
            close_machine(&machines[i]);
    }
    tub_program_free(&program);
    tub_arena_finish(&arena);
    tub_team_close(&team);
}

// The fastest of them, and how many times faster than the first it is.
static const tub_backend_ops *fastest(const machine *machines, int count, double *gain)
{
    const machine *best = &machines[0];
    *gain = 1;
    for (int i = 1; i < count && machines[0].seconds > 0; i++)
        if (machines[i].seconds > 0 && machines[i].seconds * clearly < machines[0].seconds &&
            machines[i].seconds < best->seconds)
            best = &machines[i];
    if (best->seconds > 0)
        *gain = machines[0].seconds / best->seconds;
    return best->ops;
}

static json_t *entry_of(const machine *machines, int count, const tub_backend_ops *chosen)
{
    json_t *seconds = json_object();
    for (int i = 0; i < count; i++)
        json_object_set_new(seconds, machines[i].ops->name, json_real(machines[i].seconds));
    return json_pack("{s:s, s:o}", "backend", chosen->name, "seconds", seconds);
}

// Entries of other machines and builds stay. False: it can't be written.
static bool remember(const char *file, json_t *all, const char *key, json_t *entry)
{
    json_object_set(all, key, entry);
    char *text = tub_json_text(all, JSON_INDENT(1) | JSON_SORT_KEYS);
    const bool ok = text && tub_cache_save(file, text, strlen(text));
    free(text);
    return ok;
}

static const tub_backend_ops *measure_and_remember(const tub_candidates *c, const char *file, json_t *all,
                                                   const char *key, const tub_log *log)
{
    machine machines[TUB_CANDIDATES] = {0};
    double gain = 1;
    for (int i = 0; i < c->count; i++)
        machines[i].ops = c->backends[i];
    // If the result can't be kept, each run would measure again and might choose differently. The empty entry is no
    // answer yet for readers.
    json_t *place = json_pack("{s:s}", "backend", "");
    const bool kept = remember(file, all, key, place);
    json_decref(place);
    if (!kept)
        return c->backends[0];
    measure(c, machines);
    const tub_backend_ops *chosen = fastest(machines, c->count, &gain);
    json_t *entry = entry_of(machines, c->count, chosen);
    (void)remember(file, all, key, entry);
    json_decref(entry);
    tub_inform(log, "backend %s: measured on this processor in %s, %.2f times the speed of %s; remembered in %s",
               chosen->name, tub_dtype_name(c->dtype),
               chosen == c->backends[0] && machines[1].seconds > 0 ? machines[1].seconds / machines[0].seconds : gain,
               chosen == c->backends[0] ? c->backends[1]->name : c->backends[0]->name, file);
    return chosen;
}

static json_t *load(const char *file)
{
    json_t *all = NULL;
    if (tub_json_load(file, TUB_ERROR_INPUT, &all, NULL) == TUB_OK && json_is_object(all))
        return all;
    json_decref(all);
    return json_object();
}

static const tub_backend_ops *answer(const tub_candidates *c, const json_t *all, const char *key)
{
    return named(c, json_string_value(json_object_get(json_object_get(all, key), "backend")));
}

// Processes that start together wait for one answer, or else shards of one data set could disagree.
static int lock_beside(const char *file)
{
    char *folder = tub_folder_of(file);
    const int lock = folder && tub_make_folder(folder, NULL) == TUB_OK ? tub_folder_lock(folder) : -1;
    tub_free(folder);
    return lock;
}

static const tub_backend_ops *measure_once(const tub_candidates *c, const char *file, const char *key,
                                           const tub_log *log)
{
    const int lock = lock_beside(file);
    json_t *all = load(file);
    const tub_backend_ops *chosen = answer(c, all, key);
    if (!chosen)
        chosen = measure_and_remember(c, file, all, key, log);
    json_decref(all);
    tub_folder_unlock(lock);
    return chosen;
}

const tub_backend_ops *tub_measured_backend(const tub_candidates *c, bool may_measure, const tub_log *log)
{
    char key[KEY];
    char *file = c->count > 1 ? tub_cache_path("backends.json") : NULL;
    if (!file)
        return c->backends[0];
    key_of(c, key);
    json_t *all = load(file);
    const tub_backend_ops *chosen = answer(c, all, key);
    if (!chosen)
        chosen = may_measure ? measure_once(c, file, key, log) : c->backends[0];
    json_decref(all);
    tub_free(file);
    return chosen;
}
