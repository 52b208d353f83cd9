// The rule of tubelet.h: if a call needs a pointer and it is NULL, that is an error, provided the call has a status to
// report it.
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>
#include <tubelet/tubelet.h>

#include "temp_folder.h"

static tub_error err;

// A call that must refuse, with its own message.
static void refuses(const char *call, tub_status status)
{
    if (status != TUB_ERROR_ARGUMENT || err.status != TUB_ERROR_ARGUMENT || !err.text[0] || strstr(err.text, "(null)"))
        fail_msg("%s: %s: \"%s\"", call, tub_status_name(status), err.text);
    err = (tub_error){0};
}

#define REFUSES(call) refuses(#call, call)

static void test_names(void **state)
{
    (void)state;
    tub_dtype dtype;
    tub_pool pool;
    tub_positions positions;
    tub_decoder decoder;
    tub_resizer resizer;
    tub_align align;
    tub_container container;
    tub_consumer consumer;
    tub_transform_base base;
    tub_interpolation interpolation;
    REFUSES(tub_dtype_parse(NULL, &dtype, &err));
    REFUSES(tub_dtype_parse("f32", NULL, &err));
    REFUSES(tub_pool_parse(NULL, &pool, &err));
    REFUSES(tub_pool_parse("cls", NULL, &err));
    REFUSES(tub_positions_parse(NULL, &positions, &err));
    REFUSES(tub_positions_parse("video", NULL, &err));
    REFUSES(tub_decoder_parse(NULL, &decoder, &err));
    REFUSES(tub_decoder_parse("cpu", NULL, &err));
    REFUSES(tub_resizer_parse(NULL, &resizer, &err));
    REFUSES(tub_resizer_parse("cpu", NULL, &err));
    REFUSES(tub_align_parse(NULL, &align, &err));
    REFUSES(tub_align_parse("valid", NULL, &err));
    REFUSES(tub_container_parse(NULL, &container, &err));
    REFUSES(tub_container_parse("npz", NULL, &err));
    REFUSES(tub_consumer_parse(NULL, &consumer, &err));
    REFUSES(tub_consumer_parse("opentad", NULL, &err));
    REFUSES(tub_transform_base_parse(NULL, &base, &err));
    REFUSES(tub_transform_base_parse("none", NULL, &err));
    REFUSES(tub_interpolation_parse(NULL, &interpolation, &err));
    REFUSES(tub_interpolation_parse("bicubic", NULL, &err));
}

static void test_arrays(void **state)
{
    (void)state;
    const int64_t dims[] = {1, 1};
    float value = 0;
    int64_t bytes;
    tub_array array;
    tub_npy_writer *none = NULL, *writer = NULL;
    char header[TUB_NPY_HEADER];
    REFUSES(tub_npy_read(NULL, &array, &err));
    REFUSES(tub_npy_read("/none", NULL, &err));
    REFUSES(tub_npy_stat(NULL, &array, &bytes, &err));
    REFUSES(tub_npy_stat("/none", NULL, &bytes, &err));
    REFUSES(tub_npy_stat("/none", &array, NULL, &err));
    REFUSES(tub_npy_header(TUB_F32, 2, NULL, header, &err));
    REFUSES(tub_npy_header(TUB_F32, 2, dims, NULL, &err));
    REFUSES(tub_npy_write(NULL, TUB_F32, 2, dims, &value, &err));
    REFUSES(tub_npy_write("/none", TUB_F32, 2, NULL, &value, &err));
    REFUSES(tub_npy_write("/none", TUB_F32, 2, dims, NULL, &err));
    REFUSES(tub_npy_begin(NULL, TUB_F32, 2, dims, &writer, &err));
    REFUSES(tub_npy_begin("/none", TUB_F32, 2, NULL, &writer, &err));
    REFUSES(tub_npy_begin("/none", TUB_F32, 2, dims, NULL, &err));
    REFUSES(tub_npy_append(NULL, &value, sizeof value, &err));
    REFUSES(tub_npy_commit(NULL, NULL, NULL, &err));
    REFUSES(tub_npy_commit(&none, NULL, NULL, &err));
}

static void test_data_not_given(void **state)
{
    const char *path = test_path(*state, "a.npy");
    tub_npy_writer *writer = NULL;
    assert_int_equal(tub_npy_begin(path, TUB_F32, 2, (const int64_t[]){0, 1}, &writer, NULL), TUB_OK);
    REFUSES(tub_npy_append(writer, NULL, 4, &err));
    assert_int_equal(tub_npy_append(writer, NULL, 0, NULL), TUB_OK);
    assert_int_equal(tub_npy_commit(&writer, NULL, NULL, NULL), TUB_OK);
    assert_int_equal(tub_npy_write(path, TUB_F32, 1, (const int64_t[]){0}, NULL, NULL), TUB_OK);
}

static void test_settings(void **state)
{
    (void)state;
    const tub_transform_options opentad = {.base = TUB_TRANSFORM_OPENTAD};
    int rank, world;
    const char *source;
    char name[8];
    tub_trace *trace = NULL;
    tub_gpu_monitor *monitor = NULL;
    REFUSES(tub_transform_resolve(&opentad, NULL, 0, 0, NULL, &err));
    REFUSES(tub_sampling_resolve(NULL, 0, NULL, &err));
    REFUSES(tub_layout_check(NULL, &err));
    REFUSES(tub_layout_file_name(NULL, "a", NULL, name, sizeof name, &err));
    REFUSES(tub_layout_file_name("{stem}", NULL, NULL, name, sizeof name, &err));
    REFUSES(tub_layout_file_name("{stem}", "a", NULL, NULL, sizeof name, &err));
    REFUSES(tub_shard_parse(NULL, &rank, &world, &err));
    REFUSES(tub_shard_parse("0/1", NULL, &world, &err));
    REFUSES(tub_shard_parse("0/1", &rank, NULL, &err));
    REFUSES(tub_shard_from_environment(NULL, &world, &source, &err));
    REFUSES(tub_shard_from_environment(&rank, NULL, &source, &err));
    REFUSES(tub_shard_from_environment(&rank, &world, NULL, &err));
    REFUSES(tub_machine_open(NULL, NULL, &err));
    REFUSES(tub_trace_open(NULL, NULL, &err));
    REFUSES(tub_trace_save(NULL, "/none", &err));
    assert_int_equal(tub_trace_open(NULL, &trace, NULL), TUB_OK);
    REFUSES(tub_trace_save(trace, NULL, &err));
    tub_trace_close(&trace);
    REFUSES(tub_gpu_monitor_open(0, NULL, &err));
    REFUSES(tub_gpu_monitor_open(-1, &monitor, &err));
}

static void test_models(void **state)
{
    const char *folder = *state;
    const tub_encoder_params params = {.model = folder};
    tub_encoder *encoder = NULL;
    tub_description *description = NULL;
    const void *frame = folder;
    float row;
    int position = 0;
    REFUSES(tub_family_size_at(0, 0, NULL, &err));
    REFUSES(tub_checkpoint_init(NULL, folder, 1, &err));
    REFUSES(tub_checkpoint_init("dinov2", NULL, 1, &err));
    REFUSES(tub_checkpoint_convert(NULL, folder, &err));
    REFUSES(tub_checkpoint_convert(folder, NULL, &err));
    REFUSES(tub_describe(NULL, &description, &err));
    REFUSES(tub_describe(&params, NULL, &err));
    REFUSES(tub_encoder_open(NULL, &encoder, &err));
    REFUSES(tub_encoder_open(&params, NULL, &err));
    REFUSES(tub_encoder_run(NULL, &frame, 1, &row, NULL, &err));
    REFUSES(tub_encoder_run_at(NULL, &frame, &position, 1, &row, NULL, &err));
    REFUSES(tub_encoder_pin(NULL, &row, sizeof row, &err));
    REFUSES(tub_encoder_embed(NULL, (const uint8_t *)folder, 1, 1, 1, 1, &row, NULL, NULL, &err));
    REFUSES(tub_roof_measure(TUB_F32, 1, 0.01, NULL, &err));
}

static void nobody(void *user, const char *line)
{
    (void)user, (void)line;
}

static bool deliver(void *user, const void *const *frames, int64_t row)
{
    (void)user, (void)frames, (void)row;
    return true;
}

static void test_videos(void **state)
{
    const char *folder = *state;
    const tub_transform fixed = {.resize = TUB_RESIZE_EXACT, .height = 8, .width = 8};
    tub_video *video = NULL;
    tub_frame frame;
    tub_video_info info;
    char pixel[3];
    REFUSES(tub_video_open(NULL, NULL, &video, &err));
    REFUSES(tub_video_open(folder, NULL, NULL, &err));
    REFUSES(tub_video_next(NULL, &frame, &err));
    REFUSES(tub_video_convert(NULL, pixel, &err));
    REFUSES(tub_video_probe(NULL, NULL, true, &info, &err));
    REFUSES(tub_video_probe(folder, NULL, true, NULL, &err));
    REFUSES(tub_windows_read(NULL, NULL, &fixed, 0, deliver, NULL, NULL, &err));
    REFUSES(tub_windows_read(folder, NULL, NULL, 0, deliver, NULL, NULL, &err));
    REFUSES(tub_windows_read(folder, NULL, &fixed, 0, NULL, NULL, NULL, &err));
}

static void test_extractors(void **state)
{
    const char *folder = test_path(*state, "model");
    const tub_job job = {.path = folder};
    tub_encoder *encoder = NULL;
    tub_extractor *x = NULL;
    tub_result result;
    assert_int_equal(tub_checkpoint_init("dinov2:tiny", folder, 1, NULL), TUB_OK);
    const tub_encoder_params params = {.model = folder, .backend = "reference", .threads = 1};
    assert_int_equal(tub_encoder_open(&params, &encoder, NULL), TUB_OK);
    REFUSES(tub_extractor_open(NULL, NULL, &x, &err));
    REFUSES(tub_extractor_open(encoder, NULL, NULL, &err));
    assert_int_equal(tub_extractor_open(encoder, NULL, &x, NULL), TUB_OK);
    REFUSES(tub_extractor_submit(NULL, &job, &err));
    REFUSES(tub_extractor_submit(x, NULL, &err));
    REFUSES(tub_extractor_submit(x, &(tub_job){0}, &err));
    REFUSES(tub_extractor_receive(NULL, &result, &err));
    REFUSES(tub_extractor_receive(x, NULL, &err));
    tub_extractor_close(&x);
    tub_encoder_close(&encoder);
}

static void test_folders(void **state)
{
    const char *folder = *state;
    const tub_dataset_params params = {.out = folder, .input_count = 1};
    const tub_tune_params tune = {.encoder.model = folder, .video_count = 1};
    const tub_encoder_info info = {0};
    tub_dataset *d = NULL;
    tub_features_info about;
    tub_plan *plan = NULL;
    tub_tuning *tuning = NULL;
    tub_profile profile;
    REFUSES(tub_dataset_open(NULL, &d, &err));
    REFUSES(tub_dataset_open(&params, NULL, &err));
    REFUSES(tub_dataset_open(&params, &d, &err)); // no inputs
    REFUSES(tub_dataset_open(&(tub_dataset_params){0}, &d, &err));
    REFUSES(tub_dataset_run(NULL, NULL, &(tub_run_params){0}, NULL, &err));
    REFUSES(tub_dataset_settle(NULL, &info, &(tub_run_params){0}, NULL, &err));
    REFUSES(tub_features_verify(NULL, NULL, &err));
    REFUSES(tub_features_verify(&(tub_verify_params){0}, NULL, &err));
    REFUSES(tub_features_describe(NULL, NULL, &about, &err));
    REFUSES(tub_features_describe(folder, NULL, NULL, &err));
    REFUSES(tub_consumer_config(NULL, NULL, TUB_CONSUMER_OPENTAD, nobody, NULL, &err));
    REFUSES(tub_consumer_config(folder, NULL, TUB_CONSUMER_OPENTAD, NULL, NULL, &err));
    REFUSES(tub_features_resample(NULL, NULL, &err));
    REFUSES(tub_features_resample(&(tub_resample_params){.in = folder}, NULL, &err));
    REFUSES(tub_features_resample(&(tub_resample_params){.out = folder}, NULL, &err));
    REFUSES(tub_features_compare(NULL, NULL, &err));
    REFUSES(tub_features_compare(&(tub_compare_params){.a = folder}, NULL, &err));
    REFUSES(tub_features_compare(&(tub_compare_params){.b = folder}, NULL, &err));
    REFUSES(tub_plan_make(NULL, &plan, &err));
    REFUSES(tub_plan_make(&(tub_plan_params){.info = &info}, &plan, &err));
    REFUSES(tub_plan_make(&(tub_plan_params){0}, NULL, &err));
    REFUSES(tub_tune(NULL, &tuning, &err));
    REFUSES(tub_tune(&tune, &tuning, &err)); // no videos
    REFUSES(tub_tune(&tune, NULL, &err));
    REFUSES(tub_tuning_save(NULL, &err));
    REFUSES(tub_profile_find(&tune.encoder, NULL, &err));
    REFUSES(tub_profile_read(NULL, &profile, &err));
    REFUSES(tub_profile_read("/none", NULL, &err));
    REFUSES(tub_profile_at(0, NULL, &err));
}

static int set_up(void **state)
{
    *state = test_folder_make();
    return 0;
}

static int tear_down(void **state)
{
    test_folder_remove(*state);
    return 0;
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_arrays), IN_FOLDER(test_data_not_given),
        cmocka_unit_test(test_settings), IN_FOLDER(test_models),        IN_FOLDER(test_videos),
        IN_FOLDER(test_extractors),      IN_FOLDER(test_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
