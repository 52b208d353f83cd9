#include "preprocess.h"

#include <string.h>
#include <strings.h>

#include "fail.h"

static const char where[] = "preprocessor_config.json";

#define IMAGENET                                                                                                       \
    {0.485f, 0.456f, 0.406f},                                                                                          \
    {                                                                                                                  \
        0.229f, 0.224f, 0.225f                                                                                         \
    }
#define HALF                                                                                                           \
    {0.5f, 0.5f, 0.5f},                                                                                                \
    {                                                                                                                  \
        0.5f, 0.5f, 0.5f                                                                                               \
    }
#define CLIP                                                                                                           \
    {0.48145466f, 0.4578275f, 0.40821073f},                                                                            \
    {                                                                                                                  \
        0.26862954f, 0.26130258f, 0.27577711f                                                                          \
    }

// The processor classes with their defaults. Their names end in ImageProcessor, VideoProcessor or (old)
// FeatureExtractor, and then possibly in Fast or Pil. A full name in this table is for a kind that differs from the
// others of its class. The part before is case-insensitive: google/vivit-b-16x2-kinetics400 has a ViViTImageProcessor.
// InternVideo2's class is our own: it does what the model's evaluation does.
typedef struct class
{
    const char *name;
    tub_resize resize; // also what a plain number in `size` means, unless number_is_edge
    int size;
    tub_interpolation interpolation;
    int crop; // 0: none
    tub_domain domain;
    double scale;
    bool pillow;         // resizes by Pillow; the others by torchvision
    bool offset;         // a key `offset`, true by default: values -1 .. 1 before mean and std
    bool edge_from_crop; // the edge is int(crop * 256 / 224), whatever the file says
    bool number_is_edge; // a plain number in `size` is the shortest edge, though the class's own size is exact
    float mean[3], std[3];
} class;

static const class classes[] = {
    {"VideoMAE", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false,
     HALF},
    {"CLIP", TUB_RESIZE_SHORTEST, 224, TUB_BICUBIC, 224, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false, CLIP},
    {"Bit", TUB_RESIZE_SHORTEST, 224, TUB_BICUBIC, 224, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false, CLIP},
    {"Siglip", TUB_RESIZE_EXACT, 224, TUB_BICUBIC, 0, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, true, HALF},
    {"ViT", TUB_RESIZE_EXACT, 224, TUB_BILINEAR, 0, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false, HALF},
    // Published beside ViT models: facebook/deit-base-patch16-224.
    {"DeiT", TUB_RESIZE_EXACT, 256, TUB_BICUBIC, 224, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false, HALF},
    {"DINOv3ViT", TUB_RESIZE_EXACT, 224, TUB_BILINEAR, 0, TUB_DOMAIN_FLOAT, 1 / 255.0, false, false, false, false,
     IMAGENET},
    {"VivitVideoProcessor", TUB_RESIZE_SHORTEST, 256, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 1 / 127.5, false, true, false,
     false, HALF},
    {"Vivit", TUB_RESIZE_SHORTEST, 256, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 1 / 127.5, true, true, false, false, HALF},
    {"Timesformer", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false,
     IMAGENET},
    {"InternVideo2", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 1 / 255.0, false, false, false, false,
     IMAGENET},
    {"VJEPA2", TUB_RESIZE_SHORTEST, 292, TUB_BILINEAR, 256, TUB_DOMAIN_U8, 1 / 255.0, false, false, true, false,
     IMAGENET},
};

static bool ends_with(const char *text, size_t *length, const char *end)
{
    size_t n = strlen(end);
    if (*length < n || strncmp(text + *length - n, end, n) != 0)
        return false;
    *length -= n;
    return true;
}

static const class *find_class(const char *name)
{
    size_t length = strlen(name);
    if (!ends_with(name, &length, "Fast"))
        ends_with(name, &length, "Pil");
    if (!ends_with(name, &length, "ImageProcessor") && !ends_with(name, &length, "VideoProcessor") &&
        !ends_with(name, &length, "FeatureExtractor"))
        return NULL;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].name, name) == 0 ||
            (strlen(classes[i].name) == length && strncasecmp(classes[i].name, name, length) == 0))
            return &classes[i];
    return NULL;
}

static tub_status choose_class(const json_t *config, const char *processor, const class **out, tub_error *err)
{
    static const char *const keys[] = {"video_processor_type", "image_processor_type", "feature_extractor_type"};
    const char *name = NULL;
    for (size_t i = 0; config && !name && i < sizeof keys / sizeof *keys; i++)
        TUB_TRY(tub_json_string(config, where, keys[i], NULL, &name, err));
    name = name ? name : processor ? processor : "VideoMAEImageProcessor";
    *out = find_class(name);
    if (*out)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL,
                    "%s: processor \"%.60s\" isn't known: VideoMAE, CLIP, Bit, Siglip, ViT, DeiT, DINOv3ViT, Vivit, "
                    "Timesformer and VJEPA2 processors are; without the file say what it does by --size, --crop, "
                    "--mean and --std",
                    where, name);
}

// As in transformers, a switch that is null is off; a missing one has the class's default.
static tub_status read_switch(const json_t *config, const char *key, bool fallback, bool *out, tub_error *err)
{
    return tub_json_bool(config, where, key, fallback && !json_is_null(json_object_get(config, key)), out, err);
}

static bool is_set(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

// Refuses options of processors that aren't supported and would change the pixels.
static tub_status refuse_others(const json_t *config, tub_error *err)
{
    bool pad, square;
    TUB_TRY(read_switch(config, "do_pad", false, &pad, err));
    TUB_TRY(read_switch(config, "use_square_size", false, &square, err));
    if ((pad && is_set(config, "pad_size")) || square)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\": isn't supported: remove it, and use --size or --crop",
                        where, square ? "use_square_size" : "pad_size");
    return TUB_OK;
}

// `size` or `crop_size`: a number, [height, width], or an object. *shortest: whether it is the shortest edge; a plain
// number leaves it unchanged.
static tub_status read_size(const json_t *config, const char *key, int *height, int *width, bool *shortest,
                            tub_error *err)
{
    const json_t *value = json_object_get(config, key);
    int64_t h = *height, w = *width;
    if (!value || json_is_null(value))
        return TUB_OK;
    if (json_is_integer(value)) {
        h = w = json_integer_value(value);
    } else if (json_is_array(value) && json_array_size(value) == 2) {
        h = json_integer_value(json_array_get(value, 0));
        w = json_integer_value(json_array_get(value, 1));
        *shortest = false;
    } else if (json_object_get(value, "shortest_edge") && !is_set(value, "longest_edge")) {
        h = w = json_integer_value(json_object_get(value, "shortest_edge"));
        *shortest = true;
    } else if (json_object_get(value, "height") && json_object_get(value, "width")) {
        h = json_integer_value(json_object_get(value, "height"));
        w = json_integer_value(json_object_get(value, "width"));
        *shortest = false;
    } else {
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\": needs height and width, or shortest_edge", where, key);
    }
    // What isn't an integer reads as 0.
    if (h < 1 || h > 16384 || w < 1 || w > 16384)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\": isn't a size from 1 to 16384 pixels", where, key);
    *height = (int)h;
    *width = (int)w;
    return TUB_OK;
}

// Whether a size that doesn't say so is the shortest edge. For a plain number, `default_to_square` decides; ViViT's
// image processor doesn't know that key.
static tub_status means_edge(const json_t *config, const class *k, bool *edge, tub_error *err)
{
    bool square = k->resize == TUB_RESIZE_EXACT && !k->number_is_edge;
    *edge = k->resize == TUB_RESIZE_SHORTEST;
    if (k->pillow || !json_is_integer(json_object_get(config, "size")))
        return TUB_OK;
    TUB_TRY(read_switch(config, "default_to_square", square, &square, err));
    *edge = !square;
    return TUB_OK;
}

static tub_status read_resize(const json_t *config, const class *k, tub_transform *t, tub_error *err)
{
    bool wanted, shortest;
    int64_t resample;
    TUB_TRY(means_edge(config, k, &shortest, err));
    TUB_TRY(read_switch(config, "do_resize", true, &wanted, err));
    TUB_TRY(read_size(config, "size", &t->height, &t->width, &shortest, err));
    TUB_TRY(tub_json_int(config, where, "resample", k->interpolation, 0, 5, &resample, err));
    t->resize = !wanted ? TUB_RESIZE_NONE : shortest ? TUB_RESIZE_SHORTEST : TUB_RESIZE_EXACT;
    bool known = resample == TUB_NEAREST || resample == TUB_BILINEAR || resample == TUB_BICUBIC;
    if (wanted && !known)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%s: key \"resample\": %d isn't known: 0 (nearest), 2 (bilinear) and 3 "
                        "(bicubic) are",
                        where, (int)resample);
    t->interpolation = known ? (tub_interpolation)resample : k->interpolation; // not known: nothing is resized
    t->antialias = t->interpolation != TUB_NEAREST;
    return TUB_OK;
}

static tub_status read_crop(const json_t *config, const class *k, tub_transform *t, tub_error *err)
{
    bool wanted, shortest = false;
    int height = k->crop ? k->crop : k->size, width = height;
    TUB_TRY(read_switch(config, "do_center_crop", k->crop > 0, &wanted, err));
    TUB_TRY(read_size(config, "crop_size", &height, &width, &shortest, err));
    t->crop_height = wanted ? height : 0;
    t->crop_width = wanted ? width : 0;
    if (k->edge_from_crop && t->resize != TUB_RESIZE_NONE) {
        t->resize = TUB_RESIZE_SHORTEST;
        t->height = t->width = height * 256 / 224;
    }
    return TUB_OK;
}

static tub_status read_triple(const json_t *config, const char *key, float out[3], bool zero_is_wrong, tub_error *err)
{
    const json_t *value = json_object_get(config, key);
    if (!value || json_is_null(value))
        return TUB_OK;
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_is_array(value) && json_array_size(value) == 3 ? json_array_get(value, i) : value;
        out[i] = (float)json_number_value(item);
        if (!json_is_number(item) || (zero_is_wrong && !(out[i] > 0)))
            return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\": isn't three %snumbers", where, key,
                            zero_is_wrong ? "positive " : "");
    }
    return TUB_OK;
}

static tub_status read_values(const json_t *config, const class *k, tub_transform *t, tub_error *err)
{
    double scale;
    bool offset;
    TUB_TRY(read_switch(config, "do_rescale", true, &t->rescale, err));
    TUB_TRY(read_switch(config, "do_normalize", true, &t->normalize, err));
    TUB_TRY(tub_json_double(config, where, "rescale_factor", k->scale, &scale, err));
    // ViViT's video processor, which doesn't use Pillow, has no such key.
    TUB_TRY(read_switch(config, "offset", k->offset, &offset, err));
    if (!(scale > 0))
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"rescale_factor\": must be above 0", where);
    t->scale = (float)scale;
    t->offset = k->offset && (offset || !k->pillow) ? -1 : 0;
    // Values that aren't scaled are resized as they are, in 8 bits.
    if (!t->rescale)
        t->domain = TUB_DOMAIN_U8;
    TUB_TRY(read_triple(config, "image_mean", t->mean, false, err));
    return read_triple(config, "image_std", t->std, true, err);
}

tub_status tub_preprocess_read(const json_t *config, const char *processor, tub_transform *out, tub_error *err)
{
    const class *k;
    TUB_TRY(choose_class(config, processor, &k, err));
    TUB_TRY(refuse_others(config, err));
    *out = (tub_transform){.height = k->size,
                           .width = k->size,
                           .domain = k->domain,
                           .pillow = k->pillow,
                           .centred = true}; // transformers' name for torch's nearest-exact is NEAREST
    memcpy(out->mean, k->mean, sizeof out->mean);
    memcpy(out->std, k->std, sizeof out->std);
    TUB_TRY(read_resize(config, k, out, err));
    TUB_TRY(read_crop(config, k, out, err));
    return read_values(config, k, out, err);
}

static json_t *make_size(const class *k, int height, int width)
{
    // DINOv2's files resize to 256 before they crop to 224, and so does V-JEPA's class; the others resize to the size
    // they crop.
    int edge = k->edge_from_crop || strcmp(k->name, "Bit") == 0 ? height * 256 / 224 : height;
    if (k->resize == TUB_RESIZE_SHORTEST)
        return json_pack("{s:i}", "shortest_edge", edge);
    return json_pack("{s:i, s:i}", "height", height, "width", width);
}

json_t *tub_preprocess_make(const char *processor, int height, int width)
{
    // As in the published files, where they differ from the class: ImageNet's, except that CLIP and ViViT have their
    // own.
    static const double imagenet[2][3] = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
    static const double clip[2][3] = {{0.48145466, 0.4578275, 0.40821073}, {0.26862954, 0.26130258, 0.27577711}};
    static const double half[2][3] = {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
    const class *k = find_class(processor);
    if (!k)
        return NULL;
    const double(*v)[3] = k->offset ? half : strcmp(k->name, "CLIP") == 0 ? clip : imagenet;
    const char *type = strstr(processor, "VideoProcessor") ? "video_processor_type" : "image_processor_type";
    json_t *json = json_pack("{s:b, s:b, s:b, s:[f, f, f], s:s, s:[f, f, f], s:i, s:f, s:o}", "do_normalize", true,
                             "do_rescale", true, "do_resize", true, "image_mean", v[0][0], v[0][1], v[0][2], type,
                             processor, "image_std", v[1][0], v[1][1], v[1][2], "resample", (int)k->interpolation,
                             "rescale_factor", k->scale, "size", make_size(k, height, width));
    if (json && k->offset)
        json_object_set_new(json, "offset", json_true());
    if (!json || !k->crop)
        return json;
    if (json_object_set_new(json, "do_center_crop", json_true()) ||
        json_object_set_new(json, "crop_size", json_pack("{s:i, s:i}", "height", height, "width", width))) {
        json_decref(json);
        return NULL;
    }
    return json;
}
