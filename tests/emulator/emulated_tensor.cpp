#include "emulated_tensor.h"

#include <vector>

#include "emulated_block.h"
#include "emulated_fibres.h"
#include "emulated_races.h"
#include "emulator.h"

namespace
{

struct copy {
    void *to;
    const void *from; // nullptr: zeros
    int group;
    bool done;
};

struct thread_copies {
    std::vector<copy> waiting;
    int groups; // that are committed
};

thread_copies all[FIBRES];
int bank_conflicts;

void do_copy(const copy &c)
{
    if (c.from)
        memcpy(c.to, c.from, 16);
    else
        memset(c.to, 0, 16);
}

// Finishes the copies of the first groups, which the thread has waited for.
void finish(thread_copies &copies, int groups)
{
    size_t kept = 0;
    for (const copy &c : copies.waiting) {
        if (c.group >= groups) {
            copies.waiting[kept++] = c;
            continue;
        }
        if (!c.done)
            do_copy(c);
        emulated_access_copy(c.to, 16, false);
    }
    copies.waiting.resize(kept);
}

// A lane's address, and the values there when it came.
struct matrix_row {
    const unsigned char *at;
    bool early;
    uint32_t early_pairs[4];
};

// What a lane gets from each matrix: one pair of row l / 4.
struct matrix_pair {
    const unsigned char *at; // still to be read there; nullptr: already read
    uint32_t pair;
};

// Bank conflicts of a matrix whose rows eight lanes have. 16 bytes are four of the 32 banks.
int conflicts_of(emulated_visit *const *lanes)
{
    int conflicts = 0;
    for (int i = 1; i < 8; i++)
        for (int j = 0; j < i; j++) {
            const uintptr_t a = (uintptr_t)((const matrix_row *)lanes[i]->in)->at;
            const uintptr_t b = (uintptr_t)((const matrix_row *)lanes[j]->in)->at;
            if (a != b && a / 16 % 8 == b / 16 % 8) {
                conflicts++;
                break;
            }
        }
    return conflicts;
}

void give_pairs(emulated_visit *const *lanes)
{
    for (int j = 0; j < 32; j += 8)
        bank_conflicts += conflicts_of(lanes + j);
    for (int l = 0; l < 32; l++)
        for (int j = 0; j < 4; j++) {
            const auto *row = (const matrix_row *)lanes[8 * j + l / 4]->in;
            matrix_pair *out = (matrix_pair *)lanes[l]->out + j;
            *out = {row->early ? nullptr : row->at + l % 4 * 4, row->early_pairs[l % 4]};
        }
}

} // namespace

void emulated_conflicts_forget()
{
    bank_conflicts = 0;
}

int emulator_bank_conflicts(void)
{
    return bank_conflicts;
}

void emulated_copies_begin(int thread)
{
    all[thread].waiting.clear();
    all[thread].groups = 0;
}

void emulated_copies_end(int thread)
{
    for (const copy &c : all[thread].waiting)
        if (!c.done)
            do_copy(c);
}

void tub_gpu_copy_16(void *shared, const void *from, bool there)
{
    if ((uintptr_t)shared % 16 || (uintptr_t)from % 16)
        emulated_fail("a copy of 16 bytes to %p from %p isn't aligned", shared, from);
    if (!emulated_is_shared(shared, 16))
        emulated_fail("a copy of 16 bytes to %p, which isn't shared memory", shared);
    if (there && emulated_is_shared(from, 16))
        emulated_fail("a copy of 16 bytes from %p, which is shared memory", from);
    thread_copies &copies = all[fibre_number()];
    const copy c = {shared, there ? from : nullptr, copies.groups, emulated_early()};
    emulated_access_copy(shared, 16, true);
    if (there)
        emulated_access(from, 16, false);
    if (c.done)
        do_copy(c);
    copies.waiting.push_back(c);
}

void tub_gpu_copies_commit()
{
    all[fibre_number()].groups++;
}

void emulated_copies_wait(int pending)
{
    thread_copies &copies = all[fibre_number()];
    finish(copies, copies.groups - pending);
}

void tub_gpu_load_matrices(uint32_t out[4], const void *row, const char *file, int line)
{
    if ((uintptr_t)row % 16)
        emulated_fail("ldmatrix at %s:%d: a row at %p isn't aligned", file, line, row);
    if (!emulated_is_shared(row, 16))
        emulated_fail("ldmatrix at %s:%d: a row at %p, which isn't shared memory", file, line, row);
    matrix_row own = {(const unsigned char *)row, emulated_early(), {}};
    matrix_pair pairs[4];
    memcpy(own.early_pairs, row, sizeof own.early_pairs);
    emulated_access(row, sizeof own.early_pairs, false);
    emulated_visit visit = {{"ldmatrix", file, line}, 0xffffffffu, 0, &own, pairs, give_pairs};
    emulated_meet_warp(&visit);
    for (int j = 0; j < 4; j++)
        memcpy(out + j, pairs[j].at ? (const void *)pairs[j].at : (const void *)&pairs[j].pair, sizeof *out);
}

void emulated_step(int columns, int deep, const float *a, const float *b, float *sums)
{
    for (int row = 0; row < 16; row++) {
        float parts[16] = {};
        for (int k = 0; k < deep; k++)
            for (int j = 0; j < columns; j++)
                parts[j] += a[row * deep + k] * b[k * columns + j];
        for (int j = 0; j < columns; j++)
            sums[row * columns + j] += parts[j];
    }
}

void emulated_step_bytes(const int32_t *a, const int32_t *b, int32_t *sums)
{
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < 32; k++)
            for (int j = 0; j < 8; j++)
                sums[row * 8 + j] = (int32_t)((uint32_t)sums[row * 8 + j] + (uint32_t)(a[row * 32 + k] * b[k * 8 + j]));
}

namespace
{

struct product_tf32 {
    float *sums;
    const float *a, *b;
};

float cut_off(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0xffffe000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// Lane l: a[i] is row l / 4 + 8 (i % 2), column l % 4 + 4 (i / 2); b[i] is column l / 4, k = l % 4 + 4 i; sums as in
// m16n8k16.
void multiply_tf32(emulated_visit *const *lanes)
{
    float a[16][8], b[8][8], sums[16][8];
    for (int l = 0; l < 32; l++) {
        const auto *part = (const product_tf32 *)lanes[l]->in;
        for (int i = 0; i < 4; i++)
            a[l / 4 + 8 * (i % 2)][l % 4 + 4 * (i / 2)] = cut_off(part->a[i]);
        for (int i = 0; i < 2; i++)
            b[l % 4 + 4 * i][l / 4] = cut_off(part->b[i]);
        for (int i = 0; i < 4; i++)
            sums[l / 4 + 8 * (i / 2)][l % 4 * 2 + i % 2] = part->sums[i];
    }
    emulated_step(8, 8, a[0], b[0], sums[0]);
    for (int l = 0; l < 32; l++)
        for (int i = 0; i < 4; i++)
            ((const product_tf32 *)lanes[l]->in)->sums[i] = sums[l / 4 + 8 * (i / 2)][l % 4 * 2 + i % 2];
}

} // namespace

void tub_gpu_multiply_add_tf32(float sums[4], const float a[4], const float b[2], const char *file, int line)
{
    const product_tf32 part = {sums, a, b};
    emulated_visit visit = {{"mma.sync", file, line}, 0xffffffffu, 0, &part, nullptr, multiply_tf32};
    emulated_meet_warp(&visit);
}
