#include <string.h>
#include <strings.h>
#include <tubelet/video.h>

static const char *const extensions[] = {
    "mp4", "m4v", "mov",  "qt",  "3gp", "3g2", "mj2", "f4v", "mkv", "webm", "avi", "divx", "ts",  "mts", "m2ts",
    "m2t", "mpg", "mpeg", "mpe", "m2v", "vob", "flv", "wmv", "asf", "ogv",  "ogg", "ogm",  "gif", "ivf",
};

bool tub_video_name_is_known(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    if (!dot || dot == name || dot[-1] == '/')
        return false;
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
        if (strcasecmp(dot + 1, extensions[i]) == 0)
            return true;
    return false;
}
