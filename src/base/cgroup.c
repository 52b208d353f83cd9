#include "cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct limits {
    double processors;
    uint64_t memory;
} limits;

// Reads the first line of mount/path/name into `out`. False: there is no such file.
static bool read_line(const char *mount, const char *path, const char *name, char *out, int bytes)
{
    char full[2 * PATH_MAX];
    if (snprintf(full, sizeof full, "%s%s/%s", mount, path, name) >= (int)sizeof full)
        return false;
    FILE *f = fopen(full, "re");
    if (!f)
        return false;
    bool ok = fgets(out, bytes, f) != NULL;
    fclose(f);
    return ok;
}

static void limit_processors(limits *l, double quota, double period)
{
    if (quota > 0 && period > 0 && (l->processors == 0 || quota / period < l->processors))
        l->processors = quota / period;
}

static void limit_memory(limits *l, const char *text)
{
    char *end;
    unsigned long long bytes = strtoull(text, &end, 10);
    // "max" isn't a number; version 1 writes a number near 2^63 for "no limit".
    if (end != text && bytes < (1ull << 62) && bytes < l->memory)
        l->memory = bytes;
}

static void look(limits *l, const char *mount, const char *path)
{
    char line[128], other[128];
    double quota, period;
    if (read_line(mount, path, "cpu.max", line, sizeof line) && sscanf(line, "%lf %lf", &quota, &period) == 2)
        limit_processors(l, quota, period);
    if (read_line(mount, path, "cpu.cfs_quota_us", line, sizeof line) &&
        read_line(mount, path, "cpu.cfs_period_us", other, sizeof other))
        limit_processors(l, strtod(line, NULL), strtod(other, NULL));
    if (read_line(mount, path, "memory.max", line, sizeof line))
        limit_memory(l, line);
    if (read_line(mount, path, "memory.limit_in_bytes", line, sizeof line))
        limit_memory(l, line);
}

// Looks at every group from this one up to the root of the mount.
static void walk(limits *l, const char *mount, const char *group)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s", group) >= (int)sizeof path)
        return;
    for (;;) {
        look(l, mount, path);
        char *slash = strrchr(path, '/');
        if (!slash)
            return;
        *slash = 0;
    }
}

// One line of the membership file: "0::/group" (version 2) or "4:cpu,cpuacct:/group" (version 1).
static void line_of_membership(limits *l, const char *mount, char *line)
{
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return;
    *group++ = 0;
    controllers++;
    char root[PATH_MAX];
    if (*controllers == 0) {
        walk(l, mount, group);
        // If both versions are in use, version 2 is mounted here.
        if (snprintf(root, sizeof root, "%s/unified", mount) < (int)sizeof root)
            walk(l, root, group);
        return;
    }
    if (snprintf(root, sizeof root, "%s/%s", mount, controllers) < (int)sizeof root)
        walk(l, root, group);
}

static limits find(const char *membership, const char *mount)
{
    limits l = {0, UINT64_MAX};
    FILE *f = fopen(membership, "re");
    if (!f)
        return l;
    char line[PATH_MAX];
    while (fgets(line, sizeof line, f))
        line_of_membership(&l, mount, line);
    fclose(f);
    return l;
}

double tub_cgroup_processors(const char *membership, const char *mount)
{
    return find(membership, mount).processors;
}

uint64_t tub_cgroup_memory(const char *membership, const char *mount)
{
    return find(membership, mount).memory;
}
