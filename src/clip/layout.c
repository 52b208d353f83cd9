#include <tubelet/layout.h>

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "params.h"
#include "utf8.h"

typedef enum tub_word { WORD_NONE, WORD_STEM, WORD_BARE, WORD_SPLIT } tub_word;

// The word in braces at `at`. *length: its length including the braces.
static tub_word word_at(const char *at, size_t *length)
{
    static const char *const words[] = {"", "{stem}", "{bare}", "{split}"};
    for (tub_word w = WORD_STEM; w <= WORD_SPLIT; w++) {
        *length = strlen(words[w]);
        if (strncmp(at, words[w], *length) == 0)
            return w;
    }
    return WORD_NONE;
}

static tub_status refuse(tub_error *err, const char *name, const char *why)
{
    return tub_fail(err, TUB_ERROR_ARGUMENT, "file name \"%.200s\": %s", name, why);
}

static tub_status check_words(const char *name, tub_error *err)
{
    int videos = 0, splits = 0;
    if (!tub_utf8_is(name))
        return refuse(err, name, "features.json can hold UTF-8 only, and this isn't");
    for (const char *at = name; *at;) {
        size_t length;
        tub_word word = *at == '{' || *at == '}' ? word_at(at, &length) : WORD_NONE;
        if (!word && (*at == '{' || *at == '}'))
            return refuse(err, name, "known words are {stem}, {bare} and {split}");
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return refuse(err, name, "control characters can't be in it");
        videos += word == WORD_STEM || word == WORD_BARE;
        splits += word == WORD_SPLIT;
        at += word ? length : 1;
    }
    if (videos != 1)
        return refuse(err, name, "{stem} or {bare} must be in it, once");
    return splits > 1 ? refuse(err, name, "{split} can be in it once only") : TUB_OK;
}

// Checks that no part of the path is empty, hidden or leads up.
static tub_status check_parts(const char *name, tub_error *err)
{
    const char *at = name;
    for (;;) {
        if (*at == '/' || !*at)
            return refuse(err, name, "a part of the path is empty");
        if (*at == '.')
            return refuse(err, name, "no part of the path may begin with a dot");
        at = strchr(at, '/');
        if (!at)
            return TUB_OK;
        at++;
    }
}

static bool plain_word(const char *key)
{
    enum { KEY_MOST = 64 };
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t length = strlen(key);
    return length && length <= KEY_MOST && strspn(key, plain) == length;
}

tub_status tub_layout_check(const tub_layout *layout, tub_error *err)
{
    TUB_TRY(tub_check_given("layout", layout, err));
    const char *name = layout->name, *key = layout->key;
    if (name && strlen(name) > TUB_LAYOUT_NAME)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "file name: longer than %d bytes", TUB_LAYOUT_NAME);
    if (name) {
        TUB_TRY(check_words(name, err));
        TUB_TRY(check_parts(name, err));
    }
    if (key && layout->container == TUB_CONTAINER_NPY)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "key \"%.64s\": a .npy file has no names in it: ask for npz", key);
    if (key && !plain_word(key))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "key \"%.64s\": expected letters, digits, _ and -, at most 64", key);
    TUB_TRY(tub_check_choice("tub_layout.container", (int)layout->container, TUB_CONTAINER_NPZ, err));
    if (layout->dtype != TUB_DTYPE_AUTO && layout->dtype != TUB_F32 && layout->dtype != TUB_F16)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "tub_layout.dtype is %d (%s): files of features hold f32 or f16",
                        (int)layout->dtype, tub_dtype_name(layout->dtype));
    return TUB_OK;
}

bool tub_layout_has_split(const char *name)
{
    return strstr(name, "{split}") != NULL;
}

tub_status tub_layout_file_name(const char *name, const char *stem, const char *split, char *out, size_t bytes,
                                tub_error *err)
{
    TUB_TRY(tub_check_given("name", name, err));
    TUB_TRY(tub_check_given("stem", stem, err));
    TUB_TRY(tub_check_given("out", out, err));
    size_t used = 0;
    const char *bare = strncmp(stem, "v_", 2) == 0 && stem[2] ? stem + 2 : stem;
    const char *const values[] = {NULL, stem, bare, split};
    for (const char *at = name; *at;) {
        size_t length = 1;
        tub_word word = *at == '{' ? word_at(at, &length) : WORD_NONE;
        const char *value = word ? values[word] : at;
        if (!value || !*value)
            return tub_fail(
                err, TUB_ERROR_ARGUMENT,
                "%.200s: the file name \"%.200s\" needs its split, and the annotations have no `subset` of it", stem,
                name);
        size_t more = word ? strlen(value) : 1;
        if (used + more >= bytes)
            return tub_fail(err, TUB_ERROR_ARGUMENT, "%.200s: its file name would be too long", stem);
        memcpy(out + used, value, more);
        used += more;
        at += word ? length : 1;
    }
    out[used] = '\0';
    return TUB_OK;
}

static const char *const container_names[] = {"auto", "npy", "npz"};

const char *tub_container_name(tub_container container)
{
    return (int)container >= TUB_CONTAINER_AUTO && (int)container <= TUB_CONTAINER_NPZ ? container_names[container]
                                                                                       : "unknown";
}

tub_status tub_container_parse(const char *name, tub_container *out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    for (int i = TUB_CONTAINER_NPY; name && i <= TUB_CONTAINER_NPZ; i++)
        if (strcmp(name, container_names[i]) == 0) {
            *out = (tub_container)i;
            return TUB_OK;
        }
    return tub_fail(err, TUB_ERROR_ARGUMENT, "unknown container \"%s\"; known are: npy, npz", name ? name : "");
}
