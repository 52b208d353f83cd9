// Video containers: the walks that check whether a file is broken. Each walk gets any bytes.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "container_walk.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int64_t (*const walks[])(int fd, int64_t file_bytes) = {
        tub_matroska_broken_at, tub_flv_broken_at, tub_gif_broken_at, tub_ogg_broken_at,
        tub_mp4_broken_at,      tub_asf_broken_at, tub_ps_broken_at};
    int64_t seams;
    const int fd = open(fuzz_file(data, size), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        abort();
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++)
        if (walks[i](fd, (int64_t)size) > (int64_t)size)
            abort();
    if (tub_ts_broken_at(fd, (int64_t)size, 0x100, &seams) > (int64_t)size)
        abort();
    close(fd);
    return 0;
}
