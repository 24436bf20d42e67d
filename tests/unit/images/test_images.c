/* Names are parsed as containerd parses them, tags exist or not as in the real registry, layers are unpacked once. */
#include "base/mem.h"
#include "base/sha256.h"
#include "images/image.h"
#include "images/images_int.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The build adds it up; layers are told apart by it. */
static void the_guest_program_has_its_digest(void **state)
{
    (void)state;
    struct sha256 sum;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&sum);
    sha256_add(&sum, guest_program, guest_program_size);
    sha256_hex(&sum, hex);
    assert_string_equal(guest_digest, hex);
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *ref, *canonical; /* NULL: does not parse */
    } rows[] = {
        {"nginx", "docker.io/library/nginx:latest"},
        {"nginx:1.7.9", "docker.io/library/nginx:1.7.9"},
        {"kodekloud/event-simulator", "docker.io/kodekloud/event-simulator:latest"},
        {"docker.io/nginx", "docker.io/library/nginx:latest"},
        {"index.docker.io/nginx", "docker.io/library/nginx:latest"},
        {"localhost/x", "localhost/x:latest"},
        {"localhost:5000/a/b:v1", "localhost:5000/a/b:v1"},
        {"registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.9"},
        {"a__b/c--d.e", "docker.io/a__b/c--d.e:latest"},
        {"nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "docker.io/library/nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"Nginx", NULL},
        {"nginx:", NULL},
        {"nginx:la test", NULL},
        {"", NULL},
        {"a//b", NULL},
        {"-a", NULL},
        {"a..b", NULL},
        {"nginx@sha256:xyz", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _auto_free_ char *out = NULL;
        struct err e = ERR_INIT;
        const int result = image_normalize(rows[i].ref, &out, &e);
        assert_int_equal(result, rows[i].canonical ? 0 : -1);
        if (rows[i].canonical)
            assert_string_equal(out, rows[i].canonical);
        else
            assert_int_equal(e.code, ERR_BAD_REQUEST);
    }
    struct err e = ERR_INIT;
    char *none = NULL;
    image_normalize("Nginx", &none, &e);
    assert_string_equal(e.msg, "couldn't parse image name \"Nginx\": invalid reference format: repository name "
                               "(library/Nginx) must be lowercase");
}

static bool find_tag(const char *repository, const char *tag, char **out_version)
{
    for (const struct image_def *def = NULL; (def = catalogue_find(repository, def));)
        if (tag_find(def->tags, tag, out_version))
            return true;
    return false;
}

static void tags(void **state)
{
    (void)state;
    static const struct {
        const char *repository, *tag, *version; /* NULL: does not exist */
    } rows[] = {
        {"nginx", "1.7.9", "1.7.9"},
        {"registry.k8s.io/build-image/debian-base", "bookworm-v1.0.6", "12"},
        {"nginx", "1.14", "1.14.2"},
        {"nginx", "1.14.3", NULL},
        {"nginx", "1.161", NULL},
        {"nginx", "1.91", NULL},
        {"nginx", "latest", "1.29.1"},
        {"nginx", "alpine", "1.29.1"},
        {"nginx", "1.25-alpine", "1.25.5"},
        {"nginx", "1.25.3-alpine-slim", "1.25.3"},
        {"nginx", "1.25-foo", NULL},
        {"nginx", "bad", NULL},
        {"busybox", "1.28", "1.28.4"},
        {"busybox", "1.28.4-glibc", "1.28.4"},
        {"alpine", "3.18", "3.18.12"},
        {"alpine", "3.99", NULL},
        {"ubuntu", "jammy", "22.04"},
        {"debian", "bookworm-slim", "12"},
        {"httpd", "2.4-alpine", "2.4.65"},
        {"nginx", "", NULL},
        {"nginx", "-alpine", NULL},
        {"wordpress", "4.8-apache", "4.8"},
        {"wordpress", "php8.3-apache", "1"},
        {"wordpress", "nosuchtag", NULL},
        {"gcr.io/google-samples/hello-app", "2.0", "2.0.0"},
        {"us-docker.pkg.dev/google-samples/containers/gke/hello-app", "1.0", "1.0.0"},
        {"public.ecr.aws/docker/library/nginx", "1.14", "1.14.2"},
        {"k8s.gcr.io/pause", "3.9", "3.9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *home = strchr(rows[i].repository, '/') ? "" : "docker.io/library/";
        _auto_free_ char *repository = xasprintf("%s%s", home, rows[i].repository);
        _auto_free_ char *version = NULL;
        const bool found = find_tag(repository, rows[i].tag, &version);
        if (found != (rows[i].version != NULL))
            fail_msg("%s:%s", rows[i].repository, rows[i].tag);
        if (found)
            assert_string_equal(version, rows[i].version);
    }
}

static void every_row_has_its_layers(void **state)
{
    (void)state;
    const struct image_def *row;
    for (size_t i = 0; (row = catalogue_row(i)); i++) {
        assert_true(!row->os || layer_by_id(row->os));
        assert_true(!row->app || layer_by_id(row->app));
        _auto_free_ char *version = NULL;
        const char *names = row->tags->names ? row->tags->names : "latest=";
        _auto_free_ char *first = xstrndup(names, strcspn(names, "="));
        assert_true(find_tag(row->repository, first, &version));
    }
}

static bool has(const char *layer, const char *path)
{
    _auto_free_ char *full = xasprintf("%s/%s", layer, path);
    struct stat st;
    return lstat(full, &st) == 0;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void unpacks_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/stowage-images-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct err e = ERR_INIT;
    struct images *im = NULL;
    struct image *first = NULL, *second = NULL, *none = NULL;
    assert_int_equal(images_open(dir, &im, &e), 0);
    if (images_resolve(im, "nginx:1.7.9", &first, &e) < 0 && e.code == ERR_UNSUPPORTED) {
        print_message("skipped: %s\n", e.msg);
    } else {
        assert_non_null(first);
        assert_string_equal(first->canonical, "docker.io/library/nginx:1.7.9");
        assert_false(first->already_present);
        assert_null(first->entrypoint[0]);
        assert_string_equal(first->env[1], "NGINX_VERSION=1.7.9");
        assert_true(has(first->layers[0], "bin/sh"));
        assert_true(has(first->layers[1], "usr/sbin/nginx"));
        assert_null(first->layers[2]);
        assert_false(first->stub);
        assert_int_equal(images_resolve(im, "docker.io/library/nginx:1.7.9", &second, &e), 0);
        assert_true(second->already_present);
        assert_string_equal(first->image_id, second->image_id);
    }
    assert_int_equal(images_resolve(im, "no.such/thing", &none, &e), -1);
    assert_int_equal(e.code, ERR_NOT_FOUND);
    assert_non_null(strstr(e.msg,
                           "Head \"https://no.such/v2/thing/manifests/latest\": dial tcp: lookup no.such: no such "
                           "host"));
    assert_int_equal(images_resolve(im, "nginx:1.161", &none, &e), -1);
    assert_non_null(strstr(e.msg, "code = NotFound"));
    image_free(first);
    image_free(second);
    images_close(im);
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Which unknown names get a stub, and which fail, and how. */
static void unknown_names(void **state)
{
    (void)state;
    static const struct {
        const char *ref;
        enum unknown what;
    } rows[] = {
        {"acme/shop:1.2", UNKNOWN_STUB},
        {"webapp", UNKNOWN_STUB},
        {"quay.io/team/app", UNKNOWN_STUB},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com/app:v1", UNKNOWN_STUB},
        {"node:18", UNKNOWN_STUB},
        {"mynginx", UNKNOWN_STUB},
        {"ngnix", UNKNOWN_DENIED},
        {"busybx", UNKNOWN_DENIED},
        {"ngnix:1.25", UNKNOWN_DENIED},
        {"redi", UNKNOWN_DENIED},
        {"postgress", UNKNOWN_DENIED},
        {"no-such-image", UNKNOWN_DENIED},
        {"nonexistent/image", UNKNOWN_DENIED},
        {"acme/does-not-exist", UNKNOWN_DENIED},
        {"acme/app:nonexistent", UNKNOWN_NO_TAG},
        {"registry.example.com/app", UNKNOWN_NO_HOST},
        {"my-registry.local:5000/app", UNKNOWN_NO_HOST},
        {"localhost:5000/app", UNKNOWN_LOCAL},
        {"127.0.0.1:5000/app", UNKNOWN_LOCAL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        _auto_name_ struct image_name n = {0};
        assert_int_equal(image_name_parse(rows[i].ref, &n, &e), 0);
        if (unknown_judge(&n) != rows[i].what)
            fail_msg("%s: %d", rows[i].ref, (int)unknown_judge(&n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guest_program_has_its_digest),
        cmocka_unit_test(names),
        cmocka_unit_test(tags),
        cmocka_unit_test(every_row_has_its_layers),
        cmocka_unit_test(unpacks_once),
        cmocka_unit_test(unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
