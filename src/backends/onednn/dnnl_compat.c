#include "dnnl_compat.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"
#include "fail.h"
#include "memory.h"

// --- Differences between the versions: descriptors are structs in 2.x, objects in 3.x. ---

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor;
typedef const_dnnl_memory_desc_t descriptor_view;

static dnnl_status_t describe(descriptor *d, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return strides ? dnnl_memory_desc_create_with_strides(d, 2, dims, type, strides)
                   : dnnl_memory_desc_create_with_tag(d, 2, dims, type, dnnl_format_tag_any);
}

static void forget(descriptor *d)
{
    if (*d)
        dnnl_memory_desc_destroy(*d);
    *d = NULL;
}

static descriptor_view view(const descriptor *d)
{
    return *d;
}

static dnnl_status_t matmul_primitive_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const descriptor *a,
                                           descriptor_view b, const descriptor *c, const_dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(out, engine, *a, b, NULL, *c, attr);
}
#else
typedef dnnl_memory_desc_t descriptor;
typedef const dnnl_memory_desc_t *descriptor_view;

static dnnl_status_t describe(descriptor *d, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return strides ? dnnl_memory_desc_init_by_strides(d, 2, dims, type, strides)
                   : dnnl_memory_desc_init_by_tag(d, 2, dims, type, dnnl_format_tag_any);
}

static void forget(descriptor *d)
{
    (void)d;
}

static descriptor_view view(const descriptor *d)
{
    return d;
}

static dnnl_status_t matmul_primitive_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine, const descriptor *a,
                                           descriptor_view b, const descriptor *c, const_dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t op;
    const dnnl_status_t status = dnnl_matmul_desc_init(&op, a, b, NULL, c);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &op, attr, engine, NULL) : status;
}
#endif

// --- The same in both versions. ---

struct tub_dnnl {
    dnnl_engine_t engine;
    dnnl_stream_t *streams; // one for each member
    int members;
};

enum { OPERANDS = 4 }; // A, B, C, scratch; for a packer: from, to, scratch

// A primitive with its operands' handles for each member.
typedef struct runnable {
    tub_dnnl *dnnl;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t *arguments; // [members][OPERANDS]
    int operands;
    size_t scratch_bytes;
} runnable;

struct tub_matmul {
    runnable runnable;
    tub_matmul_shape shape;
};

struct tub_packer {
    runnable runnable;
};

static tub_status failed(tub_error *err, const char *what, dnnl_status_t status)
{
    if (status == dnnl_out_of_memory)
        return tub_fail_memory(err, what);
    return tub_fail(err, TUB_ERROR_DEVICE, "oneDNN: %s failed (status %d): `--backend reference` does without it", what,
                    (int)status);
}

void tub_dnnl_limit_isa(void)
{
    if (!getenv("TUBELET_ISA"))
        return;
    static const dnnl_cpu_isa_t levels[] = {dnnl_cpu_isa_sse41, dnnl_cpu_isa_avx2, dnnl_cpu_isa_avx512_core};
    const tub_isa isa = tub_cpu_isa();
    if (isa < TUB_ISA_AVX512_BF16)
        (void)dnnl_set_max_cpu_isa(levels[isa]);
}

void tub_dnnl_name(char *out, size_t bytes)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(out, bytes, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

int tub_dnnl_one_thread(void)
{
    const int before = omp_get_max_threads();
    if (before != 1)
        omp_set_num_threads(1);
    return before;
}

void tub_dnnl_threads_back(int before)
{
    if (before != 1)
        omp_set_num_threads(before);
}

tub_status tub_dnnl_open(int members, tub_dnnl **out, tub_error *err)
{
    *out = NULL;
    tub_dnnl *d = tub_calloc(1, sizeof *d);
    if (d)
        d->streams = tub_calloc((size_t)members, sizeof(dnnl_stream_t));
    if (!d || !d->streams) {
        tub_dnnl_close(&d);
        return tub_fail_memory(err, "the oneDNN engine");
    }
    d->members = members;
    dnnl_status_t status = dnnl_engine_create(&d->engine, dnnl_cpu, 0);
    for (int i = 0; i < members && status == dnnl_success; i++)
        status = dnnl_stream_create(&d->streams[i], d->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        tub_dnnl_close(&d);
        return failed(err, "opening its engine", status);
    }
    *out = d;
    return TUB_OK;
}

void tub_dnnl_close(tub_dnnl **dnnl)
{
    if (!dnnl || !*dnnl)
        return;
    for (int i = 0; i < (*dnnl)->members; i++)
        if ((*dnnl)->streams[i])
            dnnl_stream_destroy((*dnnl)->streams[i]);
    if ((*dnnl)->engine)
        dnnl_engine_destroy((*dnnl)->engine);
    tub_free((*dnnl)->streams);
    tub_free(*dnnl);
    *dnnl = NULL;
}

static void finish_runnable(runnable *r)
{
    for (int i = 0; r->arguments && i < r->dnnl->members * OPERANDS; i++)
        if (r->arguments[i].memory)
            dnnl_memory_destroy(r->arguments[i].memory);
    tub_free(r->arguments);
    if (r->primitive)
        dnnl_primitive_destroy(r->primitive);
    if (r->desc)
        dnnl_primitive_desc_destroy(r->desc);
}

// Creates from r->desc the primitive and its operands. `arguments` and `queries` name these; the last is the
// scratchpad.
static dnnl_status_t init_runnable(runnable *r, const int *arguments, const dnnl_query_t *queries, int operands)
{
    r->operands = operands;
    r->arguments = tub_calloc((size_t)r->dnnl->members * OPERANDS, sizeof *r->arguments);
    if (!r->arguments)
        return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_primitive_create(&r->primitive, r->desc);
    for (int member = 0; member < r->dnnl->members; member++)
        for (int i = 0; i < operands && status == dnnl_success; i++) {
            dnnl_exec_arg_t *a = &r->arguments[member * OPERANDS + i];
            a->arg = arguments[i];
            status = dnnl_memory_create(&a->memory, dnnl_primitive_desc_query_md(r->desc, queries[i], 0),
                                        r->dnnl->engine, DNNL_MEMORY_NONE);
        }
    r->scratch_bytes = dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(r->desc, dnnl_query_scratchpad_md, 0));
    return status;
}

static tub_status run(runnable *r, int member, const void *const *operands, const char *what, tub_error *err)
{
    dnnl_exec_arg_t *arguments = r->arguments + member * OPERANDS;
    for (int i = 0; i < r->operands; i++)
        dnnl_memory_set_data_handle(arguments[i].memory, (void *)operands[i]);
    dnnl_status_t status = dnnl_primitive_execute(r->primitive, r->dnnl->streams[member], r->operands, arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(r->dnnl->streams[member]);
    return status == dnnl_success ? TUB_OK : failed(err, what, status);
}

static dnnl_status_t user_scratchpad(dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    return status;
}

static descriptor_view layout_of(const tub_matmul *m)
{
    return dnnl_primitive_desc_query_md(m->runnable.desc, dnnl_query_weights_md, 0);
}

static dnnl_status_t describe_matmul(tub_matmul *m, const tub_matmul *like)
{
    const tub_matmul_shape *s = &m->shape;
    const dnnl_data_type_t type = s->bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_primitive_attr_t attr = NULL;
    descriptor a = {0}, b = {0}, c = {0};
    dnnl_status_t status = user_scratchpad(&attr);
    if (status == dnnl_success)
        status = describe(&a, (dnnl_dims_t){s->m, s->k}, type, (dnnl_dims_t){s->k, 1});
    if (status == dnnl_success)
        status = describe(&b, (dnnl_dims_t){s->k, s->n}, type, NULL);
    if (status == dnnl_success)
        status = describe(&c, (dnnl_dims_t){s->m, s->n}, dnnl_f32, (dnnl_dims_t){s->n, 1});
    if (status == dnnl_success)
        status = matmul_primitive_desc(&m->runnable.desc, m->runnable.dnnl->engine, &a,
                                       like ? layout_of(like) : view(&b), &c, attr);
    forget(&a);
    forget(&b);
    forget(&c);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

tub_status tub_matmul_create(tub_dnnl *dnnl, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                             tub_error *err)
{
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    static const dnnl_query_t queries[] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md,
                                           dnnl_query_scratchpad_md};
    *out = NULL;
    tub_matmul *m = tub_calloc(1, sizeof *m);
    if (!m)
        return tub_fail_memory(err, "a matrix product");
    m->runnable.dnnl = dnnl;
    m->shape = *shape;
    dnnl_status_t status = describe_matmul(m, like);
    if (status == dnnl_success)
        status = init_runnable(&m->runnable, arguments, queries, 4);
    if (status != dnnl_success) {
        tub_matmul_destroy(&m);
        return failed(err, "making a matrix product", status);
    }
    *out = m;
    return TUB_OK;
}

void tub_matmul_destroy(tub_matmul **matmul)
{
    if (!matmul || !*matmul)
        return;
    finish_runnable(&(*matmul)->runnable);
    tub_free(*matmul);
    *matmul = NULL;
}

const tub_matmul_shape *tub_matmul_shape_of(const tub_matmul *matmul)
{
    return &matmul->shape;
}

bool tub_matmul_same_layout(const tub_matmul *a, const tub_matmul *b)
{
    return dnnl_memory_desc_equal(layout_of(a), layout_of(b));
}

size_t tub_matmul_packed_bytes(const tub_matmul *matmul)
{
    return dnnl_memory_desc_get_size(layout_of(matmul));
}

size_t tub_matmul_scratch_bytes(const tub_matmul *matmul)
{
    return matmul->runnable.scratch_bytes;
}

const char *tub_matmul_kernel(const tub_matmul *matmul)
{
    const char *name = "";
    dnnl_primitive_desc_query(matmul->runnable.desc, dnnl_query_impl_info_str, 0, &name);
    return name;
}

tub_status tub_matmul_run(tub_matmul *matmul, int member, const void *a, const void *packed, float *c, void *scratch,
                          tub_error *err)
{
    return run(&matmul->runnable, member, (const void *const[]){a, packed, c, scratch}, "a matrix product", err);
}

static dnnl_status_t describe_packer(tub_packer *p, const tub_matmul *m, const dnnl_dims_t strides, bool from_float)
{
    const dnnl_engine_t engine = p->runnable.dnnl->engine;
    dnnl_primitive_attr_t attr = NULL;
    descriptor from = {0};
    dnnl_status_t status = user_scratchpad(&attr);
    if (status == dnnl_success)
        status = describe(&from, (dnnl_dims_t){m->shape.k, m->shape.n},
                          m->shape.bf16 && !from_float ? dnnl_bf16 : dnnl_f32, strides);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&p->runnable.desc, view(&from), engine, layout_of(m), engine, attr);
    forget(&from);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return status;
}

tub_status tub_packer_create(tub_dnnl *dnnl, const tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                             bool from_float, tub_packer **out, tub_error *err)
{
    static const int arguments[] = {DNNL_ARG_FROM, DNNL_ARG_TO, DNNL_ARG_SCRATCHPAD};
    static const dnnl_query_t queries[] = {dnnl_query_src_md, dnnl_query_dst_md, dnnl_query_scratchpad_md};
    *out = NULL;
    tub_packer *p = tub_calloc(1, sizeof *p);
    if (!p)
        return tub_fail_memory(err, "a packing");
    p->runnable.dnnl = dnnl;
    dnnl_status_t status = describe_packer(p, matmul, (dnnl_dims_t){row_stride, column_stride}, from_float);
    if (status == dnnl_success)
        status = init_runnable(&p->runnable, arguments, queries, 3);
    if (status != dnnl_success) {
        tub_packer_destroy(&p);
        return failed(err, "making a packing", status);
    }
    *out = p;
    return TUB_OK;
}

void tub_packer_destroy(tub_packer **packer)
{
    if (!packer || !*packer)
        return;
    finish_runnable(&(*packer)->runnable);
    tub_free(*packer);
    *packer = NULL;
}

size_t tub_packer_scratch_bytes(const tub_packer *packer)
{
    return packer->runnable.scratch_bytes;
}

tub_status tub_packer_run(tub_packer *packer, int member, const void *from, void *packed, void *scratch, tub_error *err)
{
    return run(&packer->runnable, member, (const void *const[]){from, packed, scratch}, "a packing", err);
}
