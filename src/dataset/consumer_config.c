#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/features.h>

#include "fail.h"
#include "memory.h"
#include "params.h"
#include "plain_numbers.h"

static const char *const consumer_names[] = {"opentad", "actionformer"};

tub_status tub_consumer_parse(const char *name, tub_consumer *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    for (int i = 0; name && i <= TUB_CONSUMER_ACTIONFORMER; i++)
        if (strcmp(name, consumer_names[i]) == 0) {
            *out = (tub_consumer)i;
            return TUB_OK;
        }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "unknown consumer \"%s\"; known are: opentad, actionformer",
                    name ? name : "");
}

typedef struct tub_printer {
    void (*write)(void *user, const char *line);
    void *user;
    const char *folder;      // absolute, with a slash at the end
    const char *annotations; // absolute, NULL = none
    const tub_features_info *info;
} tub_printer;

static void line(const tub_printer *p, const char *format, ...) TUB_PRINTF(2, 3);
static void line(const tub_printer *p, const char *format, ...)
{
    char text[2048];
    va_list args;
    const tub_plain_numbers before = tub_plain_numbers_begin();
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tub_plain_numbers_end(before);
    p->write(p->user, text);
}

// A text in double quotes that both Python and YAML can read. Bytes above ASCII stay as they are.
static const char *quoted(const char *text, char out[1024])
{
    size_t used = 0;
    out[used++] = '"';
    for (; *text && used + 8 < 1024; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            used += (size_t)snprintf(out + used, 1024 - used, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            used += (size_t)snprintf(out + used, 1024 - used, "\\x%02x", c);
        else
            out[used++] = (char)c;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}

// As few digits as give the number to a relative precision of 1e-9: 29.97003 and not 30.
static const char *number(double value, char out[32])
{
    const tub_plain_numbers before = tub_plain_numbers_begin();
    for (int digits = 6; digits <= 12; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (fabs(strtod(out, NULL) - value) <= 1e-9 * fabs(value))
            break;
    }
    tub_plain_numbers_end(before);
    return out;
}

static void say_grid(const tub_printer *p, const char *consumer)
{
    const tub_features_info *i = p->info;
    line(p, "# %s: the features of %s (%lld files, C = %lld)", consumer, p->folder, (long long)i->files,
         (long long)i->dim);
    if (i->fixed_rows)
        line(p, "# Every video has %lld rows, which tile its duration.", (long long)i->fixed_rows);
    else
        line(p, "# Row i stands at second (i * %g + %g) / fps.", i->stride, i->offset);
    if (i->key[0] && strcmp(i->key, "feats"))
        line(p, "# The array is called `%s` in each .npz: the loader must ask for that name.", i->key);
}

static void say_opentad_fps(const tub_printer *p)
{
    const tub_features_info *i = p->info;
    char text[32];
    if (i->fps > 0)
        line(p, "    fps=%s,%s", number(i->fps, text), i->native ? "  # the videos' own, the same in all" : "");
    else
        line(p, "    # fps: the videos' own, and they differ: frame / duration of the annotations");
    if (!i->native)
        line(
            p,
            "    # Data sets of OpenTAD that take frame / duration for fps (Thumos, Ego4D) need `frame` at this rate.");
}

static void say_opentad_loader(const tub_printer *p)
{
    const tub_features_info *i = p->info;
    char prefix[1024], suffix[1024];
    for (int k = 0; k < i->affix_count; k++) {
        const tub_affix *a = &i->affixes[k];
        line(p, "load_feats%s%s = dict(type=\"LoadFeats\", feat_format=\"%s\", prefix=%s, suffix=%s)",
             a->split[0] ? "_" : "", a->split, tub_container_name(i->container), quoted(a->prefix, prefix),
             quoted(a->suffix, suffix));
    }
}

static void opentad(const tub_printer *p)
{
    const tub_features_info *i = p->info;
    char path[1024];
    say_grid(p, "OpenTAD");
    if (p->annotations)
        line(p, "annotation_path = %s", quoted(p->annotations, path));
    line(p, "data_path = %s", quoted(p->folder, path));
    line(p, "block_list = data_path + \"missing_files.txt\"  # tubelet verify writes it");
    line(p, "features = dict(");
    if (p->annotations)
        line(p, "    ann_file=annotation_path,");
    line(p, "    data_path=data_path,");
    line(p, "    block_list=block_list,");
    if (i->fixed_rows) {
        line(p, "    resize_length=%lld,", (long long)i->fixed_rows);
    } else {
        bool half = floor(i->offset) != i->offset;
        line(p, "    # Data sets that resize (AnetResizeDataset) take no feature_stride, offset_frames and fps.");
        line(p, "    feature_stride=%g,", i->stride);
        line(p, "    sample_stride=1,");
        line(p, "    offset_frames=%g,%s", i->offset, half ? "  # OpenTAD rounds it down" : "");
        say_opentad_fps(p);
    }
    line(p, ")");
    line(p, "dataset = dict(train=dict(**features), val=dict(**features), test=dict(**features))");
    if (p->annotations)
        line(p, "evaluation = dict(ground_truth_filename=annotation_path)");
    line(p, "# To stand in each pipeline in the place of its LoadFeats:");
    say_opentad_loader(p);
    line(p, "model = dict(projection=dict(in_channels=%lld))", (long long)i->dim);
}

// A loader has one prefix, and YAML readers silently take the last of two equal keys. So the other splits' prefixes are
// comments.
static void say_affix(const tub_printer *p, int number)
{
    const tub_affix *a = &p->info->affixes[number];
    const char *mark = number ? "# " : "";
    char prefix[1024], suffix[1024], extension[TUB_AFFIX + 8];
    snprintf(extension, sizeof extension, "%s.%s", a->suffix, tub_container_name(p->info->container));
    if (a->split[0])
        line(p, "  # of the split %s%s:", a->split, number ? ", in a configuration of its own" : "");
    line(p, "  %sfile_prefix: %s", mark, a->prefix[0] ? quoted(a->prefix, prefix) : "null");
    line(p, "  %sfile_ext: %s", mark, quoted(extension, suffix));
    if (a->suffix[0] && !number)
        line(p, "  # video-mamba-suite: feature_type: \"\", as file_ext has all that stands behind the id");
}

static void actionformer(const tub_printer *p)
{
    const tub_features_info *i = p->info;
    char text[1024];
    say_grid(p, "ActionFormer, TriDet, TemporalMaxer, video-mamba-suite");
    line(p, "dataset:");
    if (p->annotations)
        line(p, "  json_file: %s", quoted(p->annotations, text));
    line(p, "  feat_folder: %s", quoted(p->folder, text));
    for (int k = 0; k < i->affix_count; k++)
        say_affix(p, k);
    line(p, "  input_dim: %lld", (long long)i->dim);
    if (i->fixed_rows) {
        line(p, "  feat_stride: -1    # duration * fps / rows, by the loaders `anet` and `hacs` alone");
        line(p, "  num_frames: 1      # in rows: the offset is half of one");
        line(p, "  max_seq_len: %lld", (long long)i->fixed_rows);
    } else {
        line(p, "  feat_stride: %g", i->stride);
        line(p, "  num_frames: %g", i->num_frames);
        line(p, "  downsample_rate: 1");
    }
    if (i->fps > 0)
        line(p, "  default_fps: %s%s", number(i->fps, text), i->native ? "    # the videos' own, the same in all" : "");
    else if (i->fixed_rows)
        line(p, "  default_fps: 30    # any will do: it cancels out");
    else
        line(p, "  default_fps: null    # the videos' own, and they differ: `fps` of the annotations");
    line(p, "# Videos without features that can be used: %smissing_files.txt (tubelet verify)", p->folder);
}

// Configurations are read in other folders than this one, so paths are absolute. What can't be resolved stays as it is.
static char *whole_path(const char *path, const char *behind)
{
    char *real = realpath(path, NULL);
    char *whole = tub_format("%s%s", real ? real : path, behind);
    free(real);
    return whole;
}

static tub_status print(tub_consumer consumer, tub_printer *p, const char *folder, const char *annotations,
                        tub_error *err)
{
    char *path = whole_path(folder, "/"), *ids = annotations ? whole_path(annotations, "") : NULL;
    p->folder = path;
    p->annotations = ids;
    bool whole = path && (ids || !annotations);
    if (whole && consumer == TUB_CONSUMER_OPENTAD)
        opentad(p);
    else if (whole)
        actionformer(p);
    tub_free(ids);
    tub_free(path);
    return whole ? TUB_OK : tub_fail_memory(err, folder);
}

tub_status tub_consumer_config(const char *folder, const char *annotations, tub_consumer consumer,
                               void (*write)(void *user, const char *line), void *user, tub_error *err)
{
    tub_features_info info;
    if ((consumer != TUB_CONSUMER_OPENTAD && consumer != TUB_CONSUMER_ACTIONFORMER) || !write)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "consumer %d: there is no such trainer, or nobody to write to",
                        (int)consumer);
    TUB_TRY(tub_features_describe(folder, annotations, &info, err));
    tub_printer printer = {.write = write, .user = user, .info = &info};
    return print(consumer, &printer, folder, annotations, err);
}
