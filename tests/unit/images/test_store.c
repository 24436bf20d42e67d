/* Images that are brought: archives as docker and OCI write them, names, what is shared, what is refused, what is left
 * when they go. Layers are judged only, not unpacked (tests/kernel does that), so nobody need be root. */
#include "base/json.h"
#include "base/mem.h"
#include "base/tar.h"
#include "images/images_int.h"
#include "images/manage.h"
#include "sys/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    char dir[64];
    struct images *im;
    struct clock_fake clock;
};

static int setup(void **state)
{
    struct err e = ERR_INIT;
    struct world *w = xcalloc(1, sizeof *w);
    snprintf(w->dir, sizeof w->dir, "/tmp/stowage-store-XXXXXX");
    clock_fake_init(&w->clock, INT64_C(1750000000) * 1000000000);
    const struct images_conf conf = {.simulated = true, .clock = &w->clock.clock};
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(images_open(w->dir, &w->im, &e), 0);
    images_configure(w->im, &conf);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    images_close(w->im);
    assert_int_equal(layer_remove(w->dir, &e), 0);
    free(w);
    return 0;
}

/* ---- making archives ---- */

static void put(struct buf *out, const char *path, const void *data, size_t n)
{
    const struct tar_entry entry = {.path = (char *)path, .type = TAR_FILE, .mode = 0644, .size = (int64_t)n};
    tar_put_header(out, &entry);
    buf_add(out, data, n);
    tar_put_pad(out, (int64_t)n);
}

static char *digest(const void *data, size_t n)
{
    struct sha256 s;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&s);
    sha256_add(&s, data, n);
    sha256_hex(&s, hex);
    return xasprintf("sha256:%s", hex);
}

static void layer(struct buf *out, const char *path, const char *text)
{
    put(out, path, text, strlen(text));
    tar_put_end(out);
}

static char *config_of(const char *diff_ids, const char *arch)
{
    return xasprintf("{\"architecture\":\"%s\",\"os\":\"linux\",\"created\":\"2024-05-06T07:08:09Z\",\"config\":{"
                     "\"Entrypoint\":[\"/run\"],\"Cmd\":[\"a\"],\"Env\":[\"X=1\"],\"User\":\"7:8\",\"WorkingDir\":"
                     "\"/w\",\"Volumes\":{\"/data\":{}},\"StopSignal\":\"SIGQUIT\"},\"rootfs\":{\"type\":\"layers\","
                     "\"diff_ids\":[%s]},\"history\":[{\"created_by\":\"COPY\"},{\"created_by\":\"CMD\",\"empty_layer\""
                     ":true}]}",
                     arch, diff_ids);
}

static void save(const struct world *w, const char *name, const struct buf *data, char out[128])
{
    snprintf(out, 128, "%s/%s", w->dir, name);
    FILE *f = fopen(out, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data->data, 1, data->len, f), data->len);
    fclose(f);
}

/* As `docker save` writes one with two layers that are the same file: the second is a link. */
static void docker_archive(const struct world *w, const char *tag, const char *text, char out[128])
{
    _auto_buf_ struct buf archive = BUF_INIT, one = BUF_INIT;
    layer(&one, "file", text);
    _auto_free_ char *diff = digest(one.data, one.len), *both = xasprintf("\"%s\",\"%s\"", diff, diff);
    _auto_free_ char *config = config_of(both, machine_arch());
    _auto_free_ char *manifest =
        xasprintf("[{\"Config\":\"c.json\",\"RepoTags\":[\"%s\"],\"Layers\":[\"one/layer.tar\","
                  "\"two/layer.tar\"]}]",
                  tag);
    const struct tar_entry link = {
        .path = (char *)"two/layer.tar", .link = (char *)"../one/layer.tar", .type = TAR_SYMLINK, .mode = 0777};
    put(&archive, "one/layer.tar", one.data, one.len);
    tar_put_header(&archive, &link);
    put(&archive, "c.json", config, strlen(config));
    put(&archive, "manifest.json", manifest, strlen(manifest));
    tar_put_end(&archive);
    save(w, "docker.tar", &archive, out);
}

static void docker_save(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0};
    struct image *image = NULL;
    docker_archive(w, "acme/app:1", "hello", path);
    if (images_import(w->im, path, NULL, &out, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(out.items[0], "docker.io/acme/app:1");
    assert_true(images_present(w->im, "acme/app:1"));
    assert_int_equal(images_resolve(w->im, "acme/app:1", &image, &e), 0);
    assert_string_equal(image->entrypoint[0], "/run");
    assert_string_equal(image->cmd[0], "a");
    assert_string_equal(image->env[0], "X=1");
    assert_string_equal(image->user, "7:8");
    assert_string_equal(image->workdir, "/w");
    assert_string_equal(image->volumes[0], "/data");
    assert_string_equal(image->stop_signal, "SIGQUIT");
    assert_true(image->already_present);
    assert_false(image->stub);
    assert_non_null(image->layers[1]);
    assert_null(image->layers[2]);
    assert_string_not_equal(image->layers[0], image->layers[1]); /* the same file on another place is another layer */
    assert_int_equal(strncmp(image->image_id, "sha256:", 7), 0);
    image_free(image);
}

/* A document is read as a whole: one that would fill the memory is none. */
static void a_document_is_bounded(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_buf_ struct buf archive = BUF_INIT, manifest = BUF_INIT;
    _auto_strlist_ struct strlist out = {0};
    const size_t blanks = 5 << 20;
    buf_adds(&manifest, "[{\"Config\":\"c.json\",\"Layers\":[]}");
    memset(buf_reserve(&manifest, blanks), ' ', blanks);
    manifest.len += blanks;
    buf_addc(&manifest, ']');
    _auto_free_ char *config = config_of("", machine_arch());
    put(&archive, "c.json", config, strlen(config));
    put(&archive, "manifest.json", manifest.data, manifest.len);
    tar_put_end(&archive);
    save(w, "large.tar", &archive, path);
    assert_int_equal(images_import(w->im, path, "large:1", &out, &e), -1);
    assert_int_equal(e.code, ERR_TOO_LARGE);
    assert_non_null(strstr(e.msg, "manifest.json: "));
}

static void survives_a_restart(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0};
    const struct images_conf conf = {.simulated = true};
    docker_archive(w, "acme/app:1", "hello", path);
    assert_int_equal(images_import(w->im, path, "other:2", &out, &e), 0);
    images_close(w->im);
    assert_int_equal(images_open(w->dir, &w->im, &e), 0);
    images_configure(w->im, &conf);
    assert_true(images_present(w->im, "acme/app:1"));
    assert_true(images_present(w->im, "other:2"));
}

static void tags_and_removal(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0}, lines = {0};
    struct image *lease = NULL;
    docker_archive(w, "acme/app:1", "hello", path);
    assert_int_equal(images_import(w->im, path, NULL, &out, &e), 0);
    assert_int_equal(images_tag(w->im, "acme/app:1", "app:prod", &e), 0);
    assert_int_equal(images_remove(w->im, "acme/app:1", false, NULL, NULL, &lines, &e), 0);
    assert_string_equal(lines.items[0], "Untagged: docker.io/acme/app:1");
    assert_int_equal(lines.len, 1);
    assert_true(images_present(w->im, "app:prod"));
    assert_int_equal(images_resolve(w->im, "app:prod", &lease, &e), 0);
    assert_int_equal(images_remove(w->im, "app:prod", false, NULL, NULL, &lines, &e), -1);
    assert_int_equal(e.code, ERR_BUSY);
    image_free(lease);
    assert_int_equal(images_remove(w->im, "app:prod", false, NULL, NULL, &lines, &e), 0);
    assert_int_equal(lines.len, 3);
    assert_false(images_present(w->im, "app:prod"));
    _auto_free_ char *blobs = xasprintf("%s/blobs/sha256", w->dir);
    assert_int_equal(rmdir(blobs), 0); /* nothing is left in it */
    assert_int_equal(mkdir(blobs, 0755), 0);
}

static bool never(const struct image_info *info, void *arg)
{
    return arg && info->names[0] && str_eq(info->names[0], arg);
}

static void the_oldest_goes_first(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    static const char *const names[] = {"a/one:1", "a/two:1", "a/three:1"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _auto_strlist_ struct strlist out = {0};
        docker_archive(w, names[i], names[i], path);
        assert_int_equal(images_import(w->im, path, NULL, &out, &e), 0);
        clock_fake_advance(&w->clock, INT64_C(1000) * 1000000000);
    }
    _auto_free_ char *first = NULL, *second = NULL, *none = NULL;
    assert_true(images_remove_oldest(w->im, 120, never, (char *)"docker.io/a/one:1", &first));
    assert_string_equal(first, "docker.io/a/two:1");
    assert_true(images_remove_oldest(w->im, 120, never, NULL, &second));
    assert_string_equal(second, "docker.io/a/one:1");
    assert_false(images_remove_oldest(w->im, 1200, never, NULL, &none)); /* the third is too young */
}

static void inspect_history(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0};
    _auto_json_ json_t *told = NULL, *steps = NULL, *builtin = NULL;
    docker_archive(w, "acme/app:1", "hello", path);
    assert_int_equal(images_import(w->im, path, NULL, &out, &e), 0);
    assert_int_equal(images_inspect(w->im, "acme/app:1", &told, &e), 0);
    assert_string_equal(jstr(told, "Config.User"), "7:8");
    assert_int_equal(json_array_size(jat(told, "RootFS.Layers")), 2);
    assert_int_equal(images_history(w->im, "acme/app:1", &steps, &e), 0);
    assert_int_equal(json_array_size(steps), 3); /* two steps, and a layer that no step tells of */
    assert_int_equal(images_inspect(w->im, "nginx:1.25", &builtin, &e), 0);
    assert_string_equal(json_string_value(json_array_get(jat(builtin, "Config.Cmd"), 0)), "nginx");
    assert_int_equal(images_inspect(w->im, "nosuch", &told, &e), -1);
}

/* What comes out goes in again, and is the same image. */
static void export_round_trip(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0}, again = {0}, lines = {0};
    _auto_json_ json_t *before = NULL, *after = NULL;
    docker_archive(w, "acme/app:1", "hello", path);
    assert_int_equal(images_import(w->im, path, NULL, &out, &e), 0);
    assert_int_equal(images_inspect(w->im, "acme/app:1", &before, &e), 0);
    _auto_free_ char *archive = xasprintf("%s/out.tar", w->dir);
    const int fd = open(archive, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const char *const refs[] = {"acme/app:1", NULL};
    assert_int_equal(images_export(w->im, refs, fd, &e), 0);
    close(fd);
    assert_int_equal(images_remove(w->im, "acme/app:1", false, NULL, NULL, &lines, &e), 0);
    if (images_import(w->im, archive, NULL, &again, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(again.items[0], "docker.io/acme/app:1");
    assert_int_equal(images_inspect(w->im, "acme/app:1", &after, &e), 0);
    assert_string_equal(jstr(before, "Id"), jstr(after, "Id"));
    assert_true(json_equal(jat(before, "RootFS"), jat(after, "RootFS")));
}

static void put_descriptor(struct buf *out, const char *type, const char *d, size_t n)
{
    buf_addf(out, "{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":\"%s\",\"size\":%zu}", type, d, n);
}

/* An OCI archive; what is damaged on purpose is told by its name. */
static void oci_archive(const struct world *w, const char *damage, char out[128])
{
    _auto_buf_ struct buf archive = BUF_INIT, one = BUF_INIT, manifest = BUF_INIT, index = BUF_INIT;
    layer(&one, str_eq(damage, "climbs") ? "../file" : "file", "text");
    _auto_free_ char *diff = digest(one.data, one.len);
    _auto_free_ char *said = str_eq(damage, "diff id") ? digest("x", 1) : xstrdup(diff);
    _auto_free_ char *quoted = xasprintf("\"%s\"", said);
    _auto_free_ char *config = config_of(quoted, str_eq(damage, "arch") ? "vax" : machine_arch());
    _auto_free_ char *config_digest = digest(config, strlen(config));
    buf_adds(&manifest, "{\"schemaVersion\":2,\"config\":");
    put_descriptor(&manifest, "config.v1+json", config_digest, strlen(config));
    buf_adds(&manifest, ",\"layers\":[");
    put_descriptor(&manifest, "layer.v1.tar", diff, one.len);
    if (str_eq(damage, "count")) {
        buf_addc(&manifest, ',');
        put_descriptor(&manifest, "layer.v1.tar", diff, one.len);
    }
    buf_adds(&manifest, "]}");
    _auto_free_ char *manifest_digest = digest(manifest.data, manifest.len);
    buf_adds(&index, "{\"schemaVersion\":2,\"manifests\":[");
    put_descriptor(&index, "manifest.v1+json", manifest_digest, manifest.len);
    buf_adds(&index, "]}");
    if (str_eq(damage, "blob"))
        one.data[0] ^= 1;
    const struct {
        const char *digest;
        const void *data;
        size_t n;
    } blobs[] = {{diff, one.data, one.len},
                 {config_digest, config, strlen(config)},
                 {manifest_digest, manifest.data, manifest.len}};
    for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
        _auto_free_ char *name = xasprintf("blobs/sha256/%s", blobs[i].digest + 7);
        if (!(str_eq(damage, "missing") && i == 0))
            put(&archive, name, blobs[i].data, blobs[i].n);
    }
    put(&archive, "index.json", index.data, str_eq(damage, "json") ? index.len / 2 : index.len);
    put(&archive, "oci-layout", "{}", 2);
    if (!str_eq(damage, "end"))
        tar_put_end(&archive);
    else
        archive.len -= 700;
    save(w, "oci.tar", &archive, out);
}

static void oci(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0};
    oci_archive(w, "", path);
    if (images_import(w->im, path, NULL, &out, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(strncmp(out.items[0], "sha256:", 7), 0); /* it has no name: its id is told */
    assert_int_equal(images_import(w->im, path, "app", &out, &e), 0);
    assert_true(images_present(w->im, "app"));
    assert_true(images_present(w->im, "docker.io/library/app:latest"));
}

static void damaged_archives(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *damage, *why;
    } rows[] = {
        {"blob", "wrong digest"},     {"missing", "wrong digest"}, {"diff id", "wrong digest"},
        {"arch", "is for linux/vax"}, {"count", "2 layers"},       {"json", "index.json"},
        {"end", "it ends"},           {"climbs", "may not climb"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        char path[128];
        _auto_strlist_ struct strlist out = {0};
        oci_archive(w, rows[i].damage, path);
        assert_int_equal(images_import(w->im, path, "app", &out, &e), -1);
        if (!strstr(e.msg, rows[i].why))
            fail_msg("%s: %s", rows[i].damage, e.msg);
        assert_false(images_present(w->im, "app"));
        _auto_free_ char *blobs = xasprintf("%s/blobs/sha256", w->dir), *temp = xasprintf("%s/temp", w->dir);
        assert_int_equal(rmdir(blobs) | rmdir(temp), 0); /* nothing is left of it */
        assert_int_equal(mkdir(blobs, 0755) | mkdir(temp, 0755), 0);
    }
}

static void no_image_at_all(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char path[128];
    _auto_strlist_ struct strlist out = {0};
    _auto_buf_ struct buf archive = BUF_INIT;
    put(&archive, "readme", "hello", 5);
    tar_put_end(&archive);
    save(w, "none.tar", &archive, path);
    assert_int_equal(images_import(w->im, path, NULL, &out, &e), -1);
    assert_non_null(strstr(e.msg, "no image"));
    assert_int_equal(images_import(w->im, "/nowhere/at/all", NULL, &out, &e), -1);
    assert_int_equal(e.sys_errno, ENOENT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(docker_save),           T(a_document_is_bounded), T(survives_a_restart), T(tags_and_removal),
        T(the_oldest_goes_first), T(inspect_history),       T(export_round_trip),  T(oci),
        T(damaged_archives),      T(no_image_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
