#include "torch_file.h"

#include <string.h>

#include "fail.h"
#include "torch_container.h"

enum { PICKLE_MOST = 128 << 20, BUDGET_LEAST = 4 << 20 };

void tub_torch_container_finish(tub_torch_container *c)
{
    tub_pickle_finish(&c->pickle);
    tub_zip_finish(&c->zip);
    tub_free(c->places);
    tub_free(c->text);
    *c = (tub_torch_container){0};
}

tub_status tub_torch_load_pickle(tub_torch_container *c, int64_t offset, int64_t bytes, tub_error *err)
{
    const tub_tensor_file *f = c->file;
    if (bytes > PICKLE_MOST)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: its pickle has more than %d bytes", f->path, PICKLE_MOST);
    tub_pickle_finish(&c->pickle);
    tub_free(c->text);
    c->text = tub_alloc_aligned((size_t)bytes, 1);
    if (!c->text)
        return tub_fail_memory(err, "a torch.save file");
    // Together with the pickle's own bytes, this is twice the file, and a little more for small files.
    tub_pickle_init(&c->pickle, f->path, c->text, (size_t)bytes, (size_t)f->file_bytes + BUDGET_LEAST);
    return tub_tensor_file_read(f, c->text, bytes, offset, err);
}

static tub_status read_container(tub_tensor_file *f, tub_error *err)
{
    tub_torch_container c = {.file = f};
    char head[4] = "";
    if (f->file_bytes >= (int64_t)sizeof head)
        TUB_TRY(tub_tensor_file_read(f, head, sizeof head, 0, err));
    tub_status status;
    if (memcmp(head, "PK\3\4", sizeof head) == 0)
        status = tub_torch_open_zip(&c, err);
    else if (head[0] == '\x80')
        status = tub_torch_open_legacy(&c, err);
    else
        status = tub_fail(err, TUB_ERROR_MODEL, "%s: isn't a torch.save file", f->path);
    if (status == TUB_OK)
        status = tub_torch_list(&c, f, err);
    tub_torch_container_finish(&c);
    return status;
}

tub_status tub_torch_open(const char *path, tub_tensor_file *out, tub_error *err)
{
    tub_status status = tub_tensor_file_open(path, out, err);
    if (status == TUB_OK)
        status = read_container(out, err);
    if (status != TUB_OK)
        tub_tensor_file_finish(out);
    return status;
}
