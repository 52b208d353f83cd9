// The narrow type of kernels_template.h if it is float: values are stored as computed. Included after the lanes.
typedef float narrow;
#define NARROW_IS_FLOAT 1
#define n_load v_load
#define n_store v_store
#define n_load_part(p, n) v_load_part(p, n, 0)
#define n_store_part v_store_part
#define n_store_two(p, a, b) (v_store(p, a), v_store((p) + LANES, b))
