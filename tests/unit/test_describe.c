// Descriptions of tiny random checkpoints: they agree with encoders opened with the same params, and with the files.
// Sizes are counted the same way without a checkpoint.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <tubelet/checkpoint.h>

#include "../../src/backends/native/executable.h"
#include "../../src/encoder/native_encoder.h"
#include "temp_folder.h"

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = test_folder_make();
    return tub_checkpoint_init("videomae:tiny", test_path(folder, "videomae"), 1, NULL) ||
           tub_checkpoint_init("dinov2_with_registers:tiny", test_path(folder, "dinov2_with_registers"), 1, NULL);
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static tub_encoder_params params_of(const char *name)
{
    return (tub_encoder_params){
        .size = sizeof(tub_encoder_params), .model = test_path(folder, name), .backend = "reference", .threads = 1};
}

static tub_description *describe(const tub_encoder_params *params)
{
    tub_description *d = NULL;
    tub_error err = {0};
    if (tub_describe(params, &d, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return d;
}

static void check_against_encoder(const tub_encoder_params *params)
{
    tub_description *d = describe(params);
    tub_encoder *e = NULL;
    assert_int_equal(tub_encoder_open(params, &e, NULL), TUB_OK);
    const tub_encoder_info *told = &tub_description_get_info(d)->encoder, *is = tub_encoder_get_info(e);
    assert_string_equal(told->family, is->family);
    assert_string_equal(told->backend, is->backend);
    assert_string_equal(told->feature, is->feature);
    assert_string_equal(told->isa, is->isa);
    assert_string_equal(told->model_hash, is->model_hash);
    assert_int_equal(told->frames, is->frames);
    assert_int_equal(told->clip_length, is->clip_length);
    assert_int_equal(told->dim, is->dim);
    assert_int_equal(told->tokens, is->tokens);
    assert_int_equal(told->token_dim, is->token_dim);
    assert_int_equal(told->height, is->height);
    assert_int_equal(told->width, is->width);
    assert_int_equal(told->dtype, is->dtype);
    assert_int_equal(told->batch, is->batch);
    assert_true(told->flops == is->flops && told->pixel_bytes == is->pixel_bytes);
    assert_int_equal(told->transform.resize, is->transform.resize);
    assert_int_equal(told->transform.height, is->transform.height);
    assert_int_equal(told->transform.crop_width, is->transform.crop_width);
    assert_true(told->transform.mean[1] == is->transform.mean[1] && told->transform.std[2] == is->transform.std[2]);
    tub_encoder_close(&e);
    tub_description_close(&d);
    assert_null(d);
}

static void as_the_encoder(void **state)
{
    (void)state;
    tub_encoder_params params = params_of("videomae");
    check_against_encoder(&params);
    params.pool = TUB_POOL_PATCH_MEAN;
    params.batch = 3;
    check_against_encoder(&params);
    params = params_of("dinov2_with_registers");
    params.transform = (tub_transform_options){.has_size = true, .height = 70, .width = 42};
    check_against_encoder(&params);
}

static void counts(void **state)
{
    (void)state;
    const tub_encoder_params params = params_of("videomae");
    tub_description *d = describe(&params);
    const tub_description_info *info = tub_description_get_info(d);
    tub_operation_info operation;
    tub_file_info file;
    struct stat status;
    double flops = 0;
    int64_t values = 0;
    for (size_t i = 0; tub_description_operation_at(d, i, &operation); i++) {
        flops += operation.flops;
        values += operation.parameters;
        assert_true(operation.rows > 0 && operation.cols > 0 && operation.label && operation.kind);
    }
    assert_true(flops == info->encoder.flops);
    // float32: everything the operations compute with; the workspace holds at least a batch of hidden states.
    assert_int_equal(info->weight_bytes, 4 * (size_t)values);
    assert_true(info->workspace_bytes >=
                4 * (size_t)info->encoder.batch * (size_t)info->encoder.tokens * (size_t)info->encoder.token_dim);
    size_t files = 0;
    for (; tub_description_file_at(d, files, &file); files++) {
        assert_int_equal(stat(file.path, &status), 0);
        assert_int_equal(file.bytes, status.st_size);
    }
    assert_int_equal(files, 2);
    assert_int_equal(files, info->file_count);
    tub_description_close(&d);
}

// The description's memory figures are what a compiled program holds.
static void check_memory(const tub_encoder_params *params, const tub_backend_ops *ops)
{
    tub_native_opening o = {.params = params};
    tub_encoder_info info = {0};
    tub_team *team = NULL;
    tub_backend *backend = NULL;
    tub_executable *e = NULL;
    tub_error err = {0};
    tub_description *d = describe(params);
    const size_t weights = tub_description_get_info(d)->weight_bytes;
    assert_int_equal(tub_native_prepare(&o, &info, &err), TUB_OK);
    assert_int_equal(tub_team_open(params->threads, &team, &err), TUB_OK);
    assert_int_equal(ops->open(&(tub_open_params){.team = team}, &backend, &err), TUB_OK);
    const tub_compile_params compile = {.dtype = params->dtype, .max_items = info.batch, .tokens = true};
    assert_int_equal(ops->compile(backend, o.program, &compile, &e, &err), TUB_OK);
    const size_t item = e->plans[1].bytes > e->plans[0].bytes ? e->plans[1].bytes : e->plans[0].bytes;
    assert_int_equal(tub_description_get_info(d)->workspace_bytes, item * (size_t)e->wave);
    const size_t held = e->arena.bytes - item * (size_t)e->wave - (size_t)params->threads * e->member_bytes;
    // Steps, plans and lists come on top.
    assert_in_range(weights, held - held / 5, held);
    ops->release(&e);
    ops->close(&backend);
    tub_team_close(&team);
    tub_native_opening_finish(&o);
    tub_description_close(&d);
}

static void memory(void **state)
{
    (void)state;
    static const tub_dtype dtypes[] = {TUB_F32, TUB_BF16, TUB_INT8};
    static const char *const models[] = {"videomae", "dinov2_with_registers"};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        for (size_t m = 0; m < 2 && tub_backend_native.supports(dtypes[i], NULL) == TUB_OK; m++) {
            tub_encoder_params params = params_of(models[m]);
            params.backend = "native";
            params.dtype = dtypes[i];
            params.threads = 2;
            params.batch = 128;
            check_memory(&params, &tub_backend_native);
        }
}

static void sizes_without_checkpoints(void **state)
{
    (void)state;
    const tub_encoder_params params = params_of("videomae");
    tub_description *d = describe(&params);
    tub_family_info family;
    tub_size_info size;
    tub_error err = {0};
    size_t f = 0, i = 0;
    while (tub_family_at(f, &family) && strcmp(family.name, "videomae") != 0)
        f++;
    while (tub_family_size_at(f, i, &size, &err) == TUB_OK && strcmp(size.name, "tiny") != 0)
        i++;
    assert_string_equal(size.name, "tiny");
    assert_string_equal(tub_description_get_info(d)->size, "tiny");
    assert_int_equal(size.parameters, tub_description_get_info(d)->parameters);
    assert_int_equal(size.dim, tub_description_get_info(d)->encoder.dim);
    assert_int_equal(tub_family_size_at(f, 1000, &size, &err), TUB_END);
    assert_int_equal(tub_family_size_at(1000, 0, &size, &err), TUB_END);
    tub_description_close(&d);
}

// A hash is trusted if the stamp is the one that belongs to it; otherwise it is computed.
static void known_hash(void **state)
{
    (void)state;
    static const char known[] = "00112233445566778899aabbccddeeff";
    tub_encoder_params params = params_of("");
    params.model = TEST_DATA "/data/golden/videomae_finetuned";
    tub_description *d = describe(&params);
    tub_encoder_info is = tub_description_get_info(d)->encoder;
    tub_description_close(&d);
    assert_int_equal(strlen(is.model_stamp), 32);
    assert_string_not_equal(is.model_hash, known);
    params.known_stamp = is.model_stamp;
    params.known_hash = known;
    d = describe(&params);
    assert_string_equal(tub_description_get_info(d)->encoder.model_hash, known);
    tub_description_close(&d);
    tub_encoder *e = NULL;
    assert_int_equal(tub_encoder_open(&params, &e, NULL), TUB_OK);
    assert_string_equal(tub_encoder_get_info(e)->model_hash, known);
    tub_encoder_close(&e);
    params.known_stamp = known;
    d = describe(&params);
    assert_string_equal(tub_description_get_info(d)->encoder.model_hash, is.model_hash);
    tub_description_close(&d);
}

static void refusals(void **state)
{
    (void)state;
    tub_error err = {0};
    tub_description *d = NULL;
    tub_encoder_params params = params_of("videomae");
    assert_int_equal(tub_describe(&params, NULL, &err), TUB_ERROR_ARGUMENT);
    params.size = 1;
    assert_int_equal(tub_describe(&params, &d, &err), TUB_ERROR_ARGUMENT);
    params = params_of("videomae");
    params.clip_length = 7;
    assert_int_equal(tub_describe(&params, &d, &err), TUB_ERROR_MODEL);
    params = params_of("nowhere");
    assert_int_equal(tub_describe(&params, &d, &err), TUB_ERROR_MODEL);
    assert_null(d);
    tub_description_close(&d);
    tub_description_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_encoder), cmocka_unit_test(counts),
        cmocka_unit_test(memory),         cmocka_unit_test(sizes_without_checkpoints),
        cmocka_unit_test(known_hash),     cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
