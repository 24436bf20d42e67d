/* test_pod_gc.c - pods of nodes that are gone, and of nodes that never were. */
#include "unit/loop_world.h"

#include "controllers/controllers_int.h"

static int setup(void **state)
{
    static const struct loop_def *const loops[] = {&pod_gc_loop};
    struct loop_world *w = xcalloc(1, sizeof *w);
    world_open(w);
    world_account(w);
    world_start(w, loops, ARRAY_LEN(loops), NULL);
    settle(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static void test_a_node_that_goes_takes_its_pods(void **state)
{
    struct loop_world *w = *state;
    make_node(w, "n1", NODE("n1", "", ""));
    make(w, POD("stays", ",'nodeName':'n1'"));
    settle(w);
    assert_int_equal(count(w, RES.pods), 1);
    delete_it(w, RES.nodes, "n1", NULL);
    settle(w);
    assert_int_equal(count(w, RES.pods), 0);
}

/* Deleting one pod there is no reason to take the others, nor this one before its time. */
static void test_a_node_that_never_was(void **state)
{
    struct loop_world *w = *state;
    make(w, POD("leaves", ",'nodeName':'nowhere'"));
    make(w, POD("stays", ",'nodeName':'nowhere'"));
    settle(w);
    delete_it(w, RES.pods, "leaves", NULL);
    settle(w);
    assert_int_equal(count(w, RES.pods), 2);
    assert_string_equal(text_at(w, RES.pods, "leaves", "metadata.deletionGracePeriodSeconds"), "30");
    assert_string_equal(text_at(w, RES.pods, "stays", "metadata.deletionTimestamp"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_node_that_goes_takes_its_pods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_node_that_never_was, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
