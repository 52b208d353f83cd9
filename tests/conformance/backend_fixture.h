// Random small programs, and a backend to run them on. Each test program that uses it includes it once.
#ifndef TEST_BACKEND_FIXTURE_H
#define TEST_BACKEND_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "cpu.h"
#include "fake_gpu_backend.h"
#include "half.h"
#include "memory.h"

typedef struct fixture {
    uint64_t state;             // of the random number generator
    tub_arena arena;            // constants and pixels
    tub_input input;
    tub_program *program;
} fixture;

static inline double uniform(fixture *f)
{
    f->state ^= f->state << 13;
    f->state ^= f->state >> 7;
    f->state ^= f->state << 17;
    return (double)(f->state >> 11) / 9007199254740992.0;
}

static inline int between(fixture *f, int low, int high)
{
    return low + (int)(uniform(f) * (high - low + 1));
}

// Close to a standard normal: enough for errors of any kind to show.
static inline float normal(fixture *f)
{
    return (float)((uniform(f) + uniform(f) + uniform(f) + uniform(f) - 2.0) * 1.7320508);
}

// A constant in one of the files' types, `middle` +- `spread`.
static inline tub_tensor constant(fixture *f, tub_dtype dtype, int rows, int cols, double middle, double spread)
{
    tub_tensor t = {.name = "constant", .dtype = dtype, .rank = rows ? 2 : 1};
    const int64_t count = (int64_t)(rows ? rows : 1) * cols;
    t.dims[0] = rows ? rows : cols;
    t.dims[1] = rows ? cols : 0;
    void *data = tub_arena_alloc(&f->arena, (size_t)count, dtype == TUB_F32 ? 4 : 2);
    assert_non_null(data);
    for (int64_t i = 0; i < count; i++) {
        const float x = (float)(middle + spread * (double)normal(f));
        if (dtype == TUB_F32)
            ((float *)data)[i] = x;
        else
            ((uint16_t *)data)[i] = dtype == TUB_BF16 ? tub_to_bf16(x) : tub_to_f16(x);
    }
    t.data = data;
    return t;
}

static inline tub_dtype any_type(fixture *f)
{
    return (tub_dtype[]){TUB_F32, TUB_BF16, TUB_F16}[between(f, 0, 2)];
}

static inline tub_tensor vector(fixture *f, int cols, double middle, double spread)
{
    return constant(f, any_type(f), 0, cols, middle, spread);
}

static inline tub_tensor weight(fixture *f, int n, int k)
{
    return constant(f, any_type(f), n, k, 0, 1.0 / sqrt(k));
}

static inline tub_tensor angle(fixture *f, int rows, int dim)
{
    return constant(f, TUB_F32, rows, dim, 0, 0.6);
}

static inline void begin(fixture *f, uint64_t seed, bool is_float, int frames, int height, int width)
{
    tub_error err;
    *f = (fixture){.state = seed * 0x9e3779b97f4a7c15u + 1};
    tub_arena_init(&f->arena);
    f->input = (tub_input){.frames = frames, .height = height, .width = width, .is_float = is_float};
    for (int i = 0; i < 16; i++)
        uniform(f);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++)
            f->input.table[c][i] = (float)((i - 120 - 5 * c) / (60.0 + c));
    assert_int_equal(tub_program_begin(&f->input, &f->program, &err), TUB_OK);
}

static inline void finish(fixture *f)
{
    tub_program_free(&f->program);
    tub_arena_finish(&f->arena);
}

static inline void end(fixture *f, tub_value feature, tub_value tokens)
{
    tub_error err = {0};
    if (tub_program_end(f->program, feature, tokens, &err) != TUB_OK)
        fail_msg("%s", err.text);
}

// Random frames for `items`.
static inline const void **frames_of(fixture *f, int items)
{
    const size_t count = (size_t)items * (size_t)f->input.frames;
    const size_t values = 3 * (size_t)f->input.height * (size_t)f->input.width;
    const void **frames = tub_arena_alloc(&f->arena, count, sizeof *frames);
    assert_non_null(frames);
    for (size_t i = 0; i < count; i++) {
        void *pixels = tub_arena_alloc(&f->arena, values, f->input.is_float ? sizeof(float) : 1);
        assert_non_null(pixels);
        for (size_t j = 0; j < values; j++)
            if (f->input.is_float)
                ((float *)pixels)[j] = normal(f);
            else
                ((uint8_t *)pixels)[j] = (uint8_t)between(f, 0, 255);
        frames[i] = pixels;
    }
    return frames;
}

static inline size_t value_count(const fixture *f, tub_value v)
{
    return (size_t)f->program->values[v].rows * (size_t)f->program->values[v].cols;
}

// A backend with the compiled program.
typedef struct machine {
    const tub_backend_ops *ops;
    tub_team *team;
    tub_backend *backend;
    tub_executable *executable;
} machine;

static inline void must(tub_status status, const tub_error *err)
{
    if (status != TUB_OK)
        fail_msg("%s", err->text);
}

static inline machine start(const fixture *f, const tub_backend_ops *ops, tub_dtype dtype, int threads, int max_items,
                            bool tokens)
{
    tub_error err = {0};
    machine m = {.ops = ops};
    must(tub_team_open(threads, &m.team, &err), &err);
    const tub_open_params opened = {.team = m.team};
    must(ops->open(&opened, &m.backend, &err), &err);
    const tub_compile_params params = {.dtype = dtype, .max_items = max_items, .tokens = tokens};
    must(ops->compile(m.backend, f->program, &params, &m.executable, &err), &err);
    return m;
}

static inline void stop(machine *m)
{
    m->ops->release(&m->executable);
    m->ops->close(&m->backend);
    tub_team_close(&m->team);
}

static inline void run_batch(const machine *m, const void *const *frames, int items, float *rows, float *tokens)
{
    tub_error err = {0};
    const tub_batch batch = {.items = items, .frames = frames, .rows = rows, .tokens = tokens};
    must(m->ops->run(m->executable, &batch, &err), &err);
}

static inline bool offers(const tub_backend_ops *ops, tub_dtype dtype)
{
    tub_error err;
    return ops->supports(dtype, &err) == TUB_OK;
}

// The backends that this machine can run, then the CUDA backend's executable on the fake device, at one level only (its
// bytes don't depend on the instructions); NULL past the last.
static inline const tub_backend_ops *under_test(size_t i)
{
    const char *only = getenv("TEST_BACKEND");
    size_t runnable = 0;
    for (size_t k = 0; tub_backend_at(k); k++)
        if ((!only || !strcmp(only, tub_backend_at(k)->name)) && offers(tub_backend_at(k), TUB_F32) && runnable++ == i)
            return tub_backend_at(k);
    if (only && runnable == 0)
        fail_msg("backend %s doesn't run here", only);
    return i == runnable && !only && tub_cpu_isa() == TUB_ISA_SCALAR ? &fake_gpu_backend : NULL;
}

// |a - b| / |b| in the 2-norm; infinite if a value isn't finite.
static inline double relative_error(const float *a, const float *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return INFINITY;
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / (size > 0 ? size : 1));
}

// Runs this program once more for each instruction level that the processor has, because a process reads the level only
// once. Returns the number of levels at which it failed.
static inline int at_every_level(char **arguments)
{
    int failures = 0;
    for (int level = TUB_ISA_SCALAR; level <= (int)tub_cpu_isa(); level++) {
        fprintf(stderr, "--- instructions: %s ---\n", tub_isa_name((tub_isa)level));
        const pid_t child = fork();
        if (child == 0) {
            setenv("TUBELET_ISA", tub_isa_name((tub_isa)level), 1);
            execv("/proc/self/exe", arguments);
            _exit(127);
        }
        int status = 0;
        failures += child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return failures;
}

#endif
