// transformers 5 uses other names in memory than in its files, and torch.save(model.state_dict()) writes the former.
// Such a checkpoint gives the same rows as one with the names of files.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/encoder.h>

#include "model_case.h"
#include "safetensors.h"
#include "temp_folder.h"

typedef struct pair {
    const char *file, *memory;
} pair;

static const pair vit[] = {{"encoder.layer.", "layers."},
                           {"attention.attention.query.", "attention.q_proj."},
                           {"attention.attention.key.", "attention.k_proj."},
                           {"attention.attention.value.", "attention.v_proj."},
                           {"attention.output.dense.", "attention.o_proj."},
                           {"intermediate.dense.", "mlp.fc1."},
                           {".output.dense.", ".mlp.fc2."},
                           {0}};
static const pair dinov2[] = {{"attention.attention.query.", "attention.q_proj."},
                              {"attention.attention.key.", "attention.k_proj."},
                              {"attention.attention.value.", "attention.v_proj."},
                              {"attention.output.dense.", "attention.o_proj."},
                              {"mlp.weights_out.", "mlp.down_proj."},
                              {0}};
static const pair dinov3[] = {{"layer.", "model.layer."}, {0}};

enum { TENSORS = 200, NAME = 128, VALUES = 3 * 48 * 48 * 16 };

typedef struct names {
    tub_tensor tensors[TENSORS];
    char names[TENSORS][NAME];
    size_t count;
} names;

static void put(names *out, const tub_tensor *t, const char *name)
{
    assert_true(out->count < TENSORS);
    out->tensors[out->count] = *t;
    snprintf(out->names[out->count], NAME, "%s", name);
    out->tensors[out->count].name = out->names[out->count];
    out->count++;
}

static void replace(char name[NAME], const pair *p)
{
    char text[NAME];
    const char *at = strstr(name, p->file);
    if (!at)
        return;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - name), name, p->memory, at + strlen(p->file));
    snprintf(name, NAME, "%s", text);
}

// One half of the tensor's rows.
static tub_tensor half_of(const tub_tensor *t, int which)
{
    tub_tensor half = *t;
    half.dims[0] /= 2;
    half.data = (const char *)t->data + (size_t)(which * tub_tensor_count(&half)) * sizeof(float);
    return half;
}

static void rename_one(names *out, const tub_tensor *t, const pair *pairs)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s", t->name);
    for (const pair *p = pairs; p->file; p++)
        replace(name, p);
    const char *both = strstr(name, "mlp.weights_in.");
    for (int i = 0; both && i < 2; i++) {
        char part[NAME];
        const tub_tensor half = half_of(t, i);
        snprintf(part, sizeof part, "%.*smlp.%s_proj.%s", (int)(both - name), name, i ? "up" : "gate",
                 both + strlen("mlp.weights_in."));
        put(out, &half, part);
    }
    if (!both)
        put(out, t, name);
}

static void rename_all(const char *path, const pair *pairs, bool *changed)
{
    static names renamed;
    tub_checkpoint *c = NULL;
    tub_arena arena;
    tub_arena_init(&arena);
    renamed.count = 0;
    assert_int_equal(tub_checkpoint_open(path, &c, NULL), TUB_OK);
    for (size_t i = 0; i < tub_checkpoint_count(c); i++) {
        tub_tensor t;
        assert_int_equal(tub_checkpoint_read(c, i, &arena, &t, NULL), TUB_OK);
        rename_one(&renamed, &t, pairs);
        *changed |= strcmp(t.name, renamed.names[renamed.count - 1]) != 0;
    }
    assert_int_equal(tub_safetensors_write(test_path(path, "model.safetensors"), renamed.tensors, renamed.count, NULL),
                     TUB_OK);
    tub_arena_finish(&arena);
    tub_checkpoint_close(&c);
}

// Replaces the tensors of the plain form with those of the gated form.
static void make_gated(const char *path)
{
    enum { WIDE = 64, MLP = 88 }; // (64 * 2 * 2 / 3 + 7) / 8 * 8
    static names gated;
    static float values[2 * MLP * WIDE];
    tub_checkpoint *c = NULL;
    tub_arena arena;
    tub_arena_init(&arena);
    gated.count = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        values[i] = (float)((i * 2654435761u) % 2001) / 8000 - 0.125F;
    assert_int_equal(tub_checkpoint_open(path, &c, NULL), TUB_OK);
    for (size_t i = 0; i < tub_checkpoint_count(c); i++) {
        tub_tensor t;
        char name[NAME];
        assert_int_equal(tub_checkpoint_read(c, i, &arena, &t, NULL), TUB_OK);
        snprintf(name, sizeof name, "%s", t.name);
        replace(name, &(pair){"mlp.fc1.", "mlp.weights_in."});
        replace(name, &(pair){"mlp.fc2.", "mlp.weights_out."});
        if (strstr(name, "weights_in"))
            t.dims[0] = 2 * MLP;
        if (strstr(name, "weights_out.weight"))
            t.dims[1] = MLP;
        if (strstr(name, "weights_"))
            t.data = values;
        put(&gated, &t, name);
    }
    assert_int_equal(tub_safetensors_write(test_path(path, "model.safetensors"), gated.tensors, gated.count, NULL),
                     TUB_OK);
    test_model_edit_config(path, "use_swiglu_ffn", "true");
    tub_arena_finish(&arena);
    tub_checkpoint_close(&c);
}

static void encode(const char *path, float row[512])
{
    static float pixels[VALUES];
    const tub_encoder_params params = {.size = sizeof params, .model = path, .backend = "reference", .dtype = TUB_F32};
    tub_encoder *e = NULL;
    tub_error err = {0};
    if (tub_encoder_open(&params, &e, &err) != TUB_OK)
        fail_msg("%s", err.text);
    const tub_encoder_info *info = tub_encoder_get_info(e);
    const void *frames[16];
    assert_true(info->frames <= 16 && info->dim <= 512 && info->pixel_bytes <= sizeof pixels / 16);
    for (size_t i = 0; i < VALUES; i++)
        pixels[i] = info->pixels_are_float ? (float)(i % 251) / 125 - 1 : 0;
    if (!info->pixels_are_float)
        for (size_t i = 0; i < sizeof pixels; i++)
            ((uint8_t *)pixels)[i] = (uint8_t)(i % 251);
    for (int i = 0; i < info->frames; i++)
        frames[i] = (const char *)pixels + (size_t)i * info->pixel_bytes;
    if (tub_encoder_run(e, frames, 1, row, NULL, &err) != TUB_OK)
        fail_msg("%s", err.text);
    tub_encoder_close(&e);
}

static void give_the_rows_of_files(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const pair *pairs;
        bool gated;
    } cases[] = {{"vit:tiny", vit, false},
                 {"vivit:tiny", vit, false},
                 {"dinov2:tiny", dinov2, false},
                 {"dinov2:tiny", dinov2, true},
                 {"dinov3:tiny", dinov3, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512], name[32];
        float file[512] = {0}, memory[512] = {0};
        bool changed = false;
        snprintf(name, sizeof name, "case%d", (int)i);
        snprintf(path, sizeof path, "%s", test_model_init(cases[i].what, name, 7));
        if (cases[i].gated)
            make_gated(path);
        encode(path, file);
        rename_all(path, cases[i].pairs, &changed);
        assert_true(changed && file[0] != 0);
        encode(path, memory);
        assert_memory_equal(file, memory, sizeof file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(give_the_rows_of_files, test_models_set_up, test_models_tear_down)};
    return cmocka_run_group_tests_name("memory_names", tests, NULL, NULL);
}
