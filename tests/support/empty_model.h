// Checkpoints of published sizes whose values are all 0 and take no room: for tests that look at shapes only.
#ifndef TEST_EMPTY_MODEL_H
#define TEST_EMPTY_MODEL_H

// `what`: "videomae:large". Written into a new `folder`, with `layers` blocks instead of the size's own number.
void test_empty_model(const char *what, int layers, const char *folder);

#endif
