// Keeps a target alive that has no source yet.
typedef int tub_nothing;
