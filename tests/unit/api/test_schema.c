/* The embedded schema parses, and says what Kubernetes 1.32 says. */
#include "api/resource.h"
#include "api/schema.h"
#include "api/schema_int.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <time.h>

/* A parse that fails never returns what it took: outside of this test it ends the process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static const struct schema_field *field(const char *type, const char *name)
{
    const struct schema_type *t = schema_type(type);
    assert_non_null(t);
    return schema_field(t, name, strlen(name));
}

static void test_types_are_found(void **state)
{
    (void)state;
    assert_null(schema_type("core.v1.NoSuch"));
    const struct schema_type *t = schema_type("core.v1.PersistentVolumeClaimSpec");
    assert_non_null(t);
    assert_string_equal(t->go_name, "v1.PersistentVolumeClaimSpec");
    assert_string_equal(t->openapi_name, "io.k8s.api.core.v1.PersistentVolumeClaimSpec");
    assert_null(t->kind);
    assert_ptr_equal(schema_kind("apps", "v1", "Deployment"), schema_type("apps.v1.Deployment"));
    assert_true(schema_type("core.v1.PodList")->is_list);
}

static void test_fields_say_what_they_are(void **state)
{
    (void)state;
    const struct schema_field *f = field("core.v1.PodSpec", "containers");
    assert_int_equal(f->shape, SHAPE_LIST);
    assert_string_equal(f->type->name, "core.v1.Container");
    assert_string_equal(f->go_whole, "[]v1.Container");
    assert_true(f->required && f->always && f->patch_merge);
    assert_string_equal(f->merge_key, "name");
    assert_int_equal(f->list, LIST_MAP);

    f = field("core.v1.Container", "ports");
    assert_string_equal(f->list_keys[0], "containerPort");
    assert_string_equal(f->list_keys[1], "protocol");
    assert_null(f->list_keys[2]);

    f = field("core.v1.PodSpec", "volumes");
    assert_true(f->patch_merge && f->patch_retain_keys);
    f = field("core.v1.ContainerPort", "protocol");
    assert_string_equal(json_string_value(f->dflt), "TCP");
    f = field("core.v1.PersistentVolumeSpec", "capacity");
    assert_string_equal(f->go_whole, "v1.ResourceList");
    assert_int_equal(f->base, SB_QUANTITY);
    assert_int_equal(f->shape, SHAPE_MAP);
    assert_null(field("core.v1.Pod", "Spec"));
    assert_null(field("core.v1.Pod", "spe"));
}

static void test_inlined_structs_show_their_fields(void **state)
{
    (void)state;
    const struct schema_field *f = field("core.v1.Volume", "hostPath");
    assert_non_null(f);
    assert_true(f->inlined);
    assert_int_equal(f->proto, 1);
    assert_int_equal(f->proto_inlined, 2);
    assert_int_equal(field("core.v1.Volume", "name")->proto_inlined, 0);
    assert_true(schema_type("core.v1.VolumeSource")->embedded);
}

static void test_every_resource_has_a_type(void **state)
{
    (void)state;
    size_t n = 0;
    const struct resource *const *all = resource_all(&n);
    assert_true(n > 20);
    for (size_t i = 0; i < n; i++) {
        const struct schema_type *t = schema_type(all[i]->type);
        assert_non_null(t);
        assert_string_equal(t->kind, all[i]->kind);
        assert_string_equal(t->group, all[i]->group);
        assert_string_equal(t->fields[0].name, "kind");
        assert_string_equal(t->fields[1].name, "apiVersion");
        assert_string_equal(t->fields[2].name, "metadata");
        if (all[i]->list_kind)
            assert_non_null(schema_kind(all[i]->group, all[i]->version, all[i]->list_kind));
    }
}

static void test_resources_are_found(void **state)
{
    (void)state;
    const struct resource *r = resource_by_plural("apps", "v1", "deployments");
    assert_non_null(r);
    assert_string_equal(r->prefix, "{\"kind\":\"Deployment\",\"apiVersion\":\"apps/v1\",");
    assert_string_equal(resource_qualified(r), "deployments.apps");
    assert_ptr_equal(resource_by_api_version("apps/v1", "Deployment"), r);
    assert_ptr_equal(resource_by_bucket("deployments.apps"), r);
    assert_string_equal(resource_sub(r, "scale")->kind, "Scale");
    assert_null(resource_sub(r, "log"));
    assert_string_equal(resource_by_bucket("events")->group, "");
    assert_true(resource_has_group("storage.k8s.io"));
    assert_false(resource_has_group("extensions"));
    assert_false(resource_has_group_version("apps", "v1beta1"));
    assert_null(resource_by_kind("", "v1", "Deployment"));
}

static void test_broken_texts_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "type X\n",
        "package a.v1 openapi=a\ntype X what\n",
        "package a.v1 openapi=a\ntype X\n  f 1 Missing\n",
        "package a.v1 openapi=a\ntype X\n  f 1 string shiny\n",
        "package a.v1 openapi=a\ntype X\n  f 1\n",
        "package a.v1\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct schema_set set;
        struct err e = ERR_INIT;
        assert_int_equal(schema_parse(broken[i], strlen(broken[i]), &set, &e), -1);
        assert_int_equal(e.code, ERR_CORRUPT);
    }
}

static int setup(void **state)
{
    (void)state;
    schema_init();
    resource_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_are_found),
        cmocka_unit_test(test_fields_say_what_they_are),
        cmocka_unit_test(test_inlined_structs_show_their_fields),
        cmocka_unit_test(test_every_resource_has_a_type),
        cmocka_unit_test(test_resources_are_found),
        cmocka_unit_test(test_broken_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
