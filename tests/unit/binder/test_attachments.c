/* test_attachments.c - whose VolumeAttachments the attach loop removes: those of the names it gives itself. */
#include "unit/loop_world.h"

#include "binder/binder_int.h"
#include "volume/volume.h"

static struct binder_env env;

static int setup(void **state)
{
    static const struct loop_def *const loops[] = {&attach_detach_loop};
    struct loop_world *w = xcalloc(1, sizeof *w);
    world_open(w);
    world_start(w, loops, ARRAY_LEN(loops), &env);
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

#define HANDLE "vol-0123456789abcdef0"
#define DRIVER "ebs.csi.aws.com"
#define PV     VOLUME("pv", "1Gi", ",'csi':{'driver':'" DRIVER "','volumeHandle':'" HANDLE "'}")
#define VA     RES.volumeattachments

static void attach(struct loop_world *w, const char *name, const char *pv)
{
    make(w,
         "{'apiVersion':'storage.k8s.io/v1','kind':'VolumeAttachment','metadata':{'name':'%s'},'spec':{'attacher':'"
         "" DRIVER "','nodeName':'n','source':{'persistentVolumeName':'%s'}}}",
         name, pv);
    settle(w);
}

static bool there(struct loop_world *w, const char *name)
{
    _auto_sobj_ struct sobj *o = get(w, VA, name);
    return o != NULL;
}

static void test_by_hand(void **state)
{
    struct loop_world *w = *state;
    attach(w, "no-volume", "nosuch");
    make(w, PV);
    attach(w, "no-pod", "pv");
    assert_true(there(w, "no-volume"));
    assert_true(there(w, "no-pod"));
    delete_it(w, RES.persistentvolumes, "pv", NULL);
    change(w, RES.persistentvolumes, "pv", "", "metadata.finalizers", "[]");
    settle(w);
    assert_true(there(w, "no-pod"));
}

static void test_of_its_own(void **state)
{
    struct loop_world *w = *state;
    char name[ATTACHMENT_NAME_LEN];
    attachment_name(HANDLE, DRIVER, "n", name);
    attach(w, name, "nosuch"); /* the volume is gone: so goes this */
    assert_false(there(w, name));
    make(w, PV);
    attach(w, name, "pv"); /* left over from before a restart, and nobody's pod wants it */
    assert_false(there(w, name));
}

/* A pod with the volume, on node n. */
static void make_user(struct loop_world *w)
{
    make(w, NODE("n", "", ""));
    make(w, PV);
    make(w, CLAIM("c", "1Gi", ",'storageClassName':'','volumeName':'pv'"));
    _auto_sobj_ struct sobj *claim = get(w, RES.persistentvolumeclaims, "c");
    _auto_json_ json_t *ref = object_reference(claim->tree);
    _auto_free_ char *text = json_dumps(ref, 0);
    change(w, RES.persistentvolumes, "pv", "", "spec.claimRef", text);
    make(w, POD_WITH_CLAIM("p", "c", ",'nodeName':'n'"));
    settle(w);
}

/* An attempt to attach comes to its end, or to its two minutes, before the attachment of a pod that went is removed. */
static void test_attempt_ends_first(void **state)
{
    struct loop_world *w = *state;
    char name[ATTACHMENT_NAME_LEN];
    world_account(w);
    attachment_name(HANDLE, DRIVER, "n", name);
    make_user(w);
    assert_true(there(w, name));
    end_pod(w, "p");
    pass_seconds(w, 100);
    assert_true(there(w, name));
    pass_seconds(w, 21);
    assert_false(there(w, name));
}

static void test_failed_attempt_has_ended(void **state)
{
    struct loop_world *w = *state;
    char name[ATTACHMENT_NAME_LEN];
    world_account(w);
    attachment_name(HANDLE, DRIVER, "n", name);
    make_user(w);
    change(w, VA, name, "status", "status.attachError", "{'time':'2026-01-01T00:00:00Z','message':'no'}");
    settle(w);
    assert_true(there(w, name));
    end_pod(w, "p");
    settle(w);
    assert_false(there(w, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempt_ends_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_attempt_has_ended, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
