/* image_deb.c - an image made of Debian packages: `stowage image build-deb`.
 *
 * DESIGN: the result is a `docker save` archive like any other, so it goes in through the same door (images/import.c).
 * It begins with the layers of a built-in userland, taken from that image's own export, and has one more with the files
 * of all packages. Scripts of packages are not run; the few things they would have done and that programs cannot do
 * without are rows of `after`.
 *
 * When you add a program that shall run by itself: a row in `suggestions`. THREADS: none. */
#include "cli/image_int.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT_MAX (256 * 1024)
#define LAYER_NAME   "packages/layer.tar"
#define PATH_ENV     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What runs in it unless --command says something else. */
static const struct {
    const char *package, *command[6], *port;
} suggestions[] = {
    {"nginx", {"nginx", "-g", "daemon off;"}, "80/tcp"},
    {"nginx-light", {"nginx", "-g", "daemon off;"}, "80/tcp"},
    {"nginx-full", {"nginx", "-g", "daemon off;"}, "80/tcp"},
    {"redis-server", {"redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"}, "6379/tcp"},
    {"apache2", {"apache2ctl", "-D", "FOREGROUND"}, "80/tcp"},
    {"python3-minimal", {"python3"}, NULL},
    {"python3", {"python3"}, NULL},
};
/* Links that a package's script would have made: if `needs` is there and `path` is not. */
static const struct {
    const char *needs, *path, *target;
} after[] = {
    {"etc/nginx/sites-available/default", "etc/nginx/sites-enabled/default", "/etc/nginx/sites-available/default"},
    {"usr/sbin/nginx", "var/log/nginx/access.log", "/dev/stdout"},
    {"usr/sbin/nginx", "var/log/nginx/error.log", "/dev/stderr"},
    {"usr/share/nginx/html/index.html", "var/www/html/index.nginx-debian.html", "/usr/share/nginx/html/index.html"},
    {"usr/bin/python3", "usr/bin/python", "python3"},
};

struct build {
    int out; /* the archive */
    const struct deb_image *spec;
    struct strlist seen;   /* paths in the layer */
    struct strlist layers; /* names in the archive, lowest first */
    json_t *config;        /* owned; of the base, then of the image */
    int layer;             /* the layer's file while it is made */
    struct sha256 sha;     /* of the layer */
};

/* ---- bytes ---- */

static int write_all(int fd, const void *data, size_t n, struct err *e)
{
    const char *at = data;
    while (n > 0) {
        const ssize_t k = write(fd, at, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(e, errno, "write the image");
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static int layer_add(struct build *b, const void *data, size_t n, struct err *e)
{
    sha256_add(&b->sha, data, n);
    return write_all(b->layer, data, n, e);
}

static int put_document(struct build *b, const char *name, const json_t *doc, struct err *e)
{
    _auto_free_ char *text = json_dumps(doc, JSON_COMPACT);
    _auto_buf_ struct buf out = BUF_INIT;
    const struct tar_entry entry = {
        .path = (char *)name, .type = TAR_FILE, .mode = 0644, .size = (int64_t)strlen(text)};
    tar_put_header(&out, &entry);
    buf_adds(&out, text);
    tar_put_pad(&out, entry.size);
    return write_all(b->out, out.data, out.len, e);
}

/* ---- the layer ---- */

/* The header of an entry that was not there before; 0: it was. */
static int begin_entry(struct build *b, const struct tar_entry *entry, struct err *e)
{
    const char *path = entry->path;
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    _auto_free_ char *plain = xstrndup(path, strlen(path) - (str_ends(path, "/") ? 1 : 0));
    if (!*plain || strlist_has(&b->seen, plain))
        return 0;
    strlist_add(&b->seen, plain);
    _auto_buf_ struct buf head = BUF_INIT;
    struct tar_entry copy = *entry;
    copy.path = (char *)path;
    tar_put_header(&head, &copy);
    return layer_add(b, head.data, head.len, e) < 0 ? -1 : 1;
}

static int end_entry(struct build *b, int64_t size, struct err *e)
{
    _auto_buf_ struct buf pad = BUF_INIT;
    tar_put_pad(&pad, size);
    return pad.len ? layer_add(b, pad.data, pad.len, e) : 0;
}

static int copy_entry(struct build *b, struct tar *t, const struct tar_entry *entry, struct err *e)
{
    char chunk[65536];
    const int rc = begin_entry(b, entry, e);
    if (rc <= 0)
        return rc;
    for (ssize_t n; (n = tar_data(t, chunk, sizeof chunk, e)) != 0;)
        if (n < 0 || layer_add(b, chunk, (size_t)n, e) < 0)
            return -1;
    return end_entry(b, entry->size, e);
}

static int add_deb(struct build *b, const char *file, struct err *e)
{
    const char *const argv[] = {"dpkg-deb", "--fsys-tarfile", file, NULL};
    const struct tar_entry *entry;
    struct stream *s = NULL;
    int pid, rc = -1;
    const int fd = run_begin(argv, &pid);
    if (fd < 0)
        return err_set(e, ERR_UNSUPPORTED, "there is no dpkg-deb on this machine");
    const struct stream_conf conf = {.fd = fd};
    if (stream_open(&conf, &s, e) == 0) {
        _auto_tar_ struct tar *t = tar_new(s);
        while ((rc = tar_next(t, &entry, e)) == 1 && (rc = copy_entry(b, t, entry, e)) == 0)
            continue;
        if (rc == 0)
            rc = stream_drain(s, e);
    }
    stream_close(s);
    return run_end(fd, pid) != 0 && rc == 0 ? err_set(e, ERR_CORRUPT, "dpkg-deb cannot unpack it") : rc;
}

static int add_path(struct build *b, const char *path, struct err *e)
{
    struct stat st;
    char chunk[65536], target[4096] = "";
    if (lstat(path, &st) < 0 || path[0] != '/' || !path[1])
        return 0; /* a document that this machine does without */
    struct tar_entry entry = {.path = (char *)path + 1,
                              .link = target,
                              .mode = st.st_mode & 07777,
                              .uid = st.st_uid,
                              .gid = st.st_gid,
                              .mtime = st.st_mtime};
    entry.type = S_ISDIR(st.st_mode) ? TAR_DIR : S_ISLNK(st.st_mode) ? TAR_SYMLINK : TAR_FILE;
    entry.size = entry.type == TAR_FILE ? st.st_size : 0;
    if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISREG(st.st_mode))
        return 0;
    if (entry.type == TAR_SYMLINK && !strchr(entry.path, '/'))
        return 0; /* "/lib" of a machine with merged directories: here it is a directory of its own */
    if (entry.type == TAR_SYMLINK && readlink(path, target, sizeof target - 1) < 0)
        return 0;
    _auto_close_ int fd = entry.type == TAR_FILE ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (entry.type == TAR_FILE && fd < 0)
        return err_sys(e, errno, "open %s", path);
    const int rc = begin_entry(b, &entry, e);
    for (int64_t left = rc == 1 ? entry.size : 0; left > 0;) {
        const ssize_t n = read(fd, chunk, left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk);
        if (n <= 0 || layer_add(b, chunk, (size_t)n, e) < 0)
            return n <= 0 ? err_sys(e, n < 0 ? errno : EIO, "read %s", path) : -1;
        left -= n;
    }
    return rc == 1 ? end_entry(b, entry.size, e) : rc;
}

static int add_installed(struct build *b, const char *name, struct err *e)
{
    const char *const argv[] = {"dpkg-query", "-L", name, NULL};
    _auto_free_ char *list = output_of(argv);
    _auto_strlist_ struct strlist paths = {0};
    if (!list)
        return err_set(e, ERR_NOT_FOUND, "dpkg does not know its files");
    strlist_split(&paths, list, '\n');
    for (size_t i = 0; i < paths.len; i++)
        if (!str_starts(paths.items[i], "/usr/share/doc") && !str_starts(paths.items[i], "/usr/share/man") &&
            add_path(b, paths.items[i], e) < 0)
            return -1;
    return 0;
}

static int add_after(struct build *b, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        const struct tar_entry link = {
            .path = (char *)after[i].path, .link = (char *)after[i].target, .type = TAR_SYMLINK, .mode = 0777};
        if (strlist_has(&b->seen, after[i].needs) && begin_entry(b, &link, e) < 0)
            return -1;
    }
    _auto_buf_ struct buf end = BUF_INIT;
    tar_put_end(&end);
    return layer_add(b, end.data, end.len, e);
}

static int make_layer(struct build *b, struct err *e)
{
    _cleanup_(deb_packages_release) struct deb_packages all = {0};
    _auto_strlist_ struct strlist missing = {0};
    if (deb_packages_find(&b->spec->packages, &all, &missing, e) < 0)
        return -1;
    for (size_t i = 0; i < all.len; i++)
        if ((all.items[i].file ? add_deb(b, all.items[i].file, e) : add_installed(b, all.items[i].name, e)) < 0)
            return err_wrap(e, "package %s", all.items[i].name);
    for (size_t i = 0; i < missing.len; i++)
        fprintf(stderr, "stowage: left out, as this machine does not have it: %s\n", missing.items[i]);
    return add_after(b, e);
}

/* The layer's file as a member of the archive. */
static int put_layer(struct build *b, struct err *e)
{
    char chunk[65536];
    struct stat st;
    _auto_buf_ struct buf head = BUF_INIT, pad = BUF_INIT;
    if (fstat(b->layer, &st) < 0 || lseek(b->layer, 0, SEEK_SET) < 0)
        return err_sys(e, errno, "the layer");
    const struct tar_entry entry = {.path = (char *)LAYER_NAME, .type = TAR_FILE, .mode = 0644, .size = st.st_size};
    tar_put_header(&head, &entry);
    if (write_all(b->out, head.data, head.len, e) < 0)
        return -1;
    for (ssize_t n; (n = read(b->layer, chunk, sizeof chunk)) != 0;)
        if (n < 0 || write_all(b->out, chunk, (size_t)n, e) < 0)
            return n < 0 ? err_sys(e, errno, "the layer") : -1;
    tar_put_pad(&pad, st.st_size);
    return pad.len ? write_all(b->out, pad.data, pad.len, e) : 0;
}

/* ---- the base ---- */

/* A member of the base's archive: copied if it is a blob; short ones are kept in *docs, where the documents are. */
static int take_member(struct build *b, struct tar *t, const struct tar_entry *entry, json_t *docs, struct err *e)
{
    char chunk[65536];
    _auto_buf_ struct buf text = BUF_INIT, head = BUF_INIT, pad = BUF_INIT;
    const bool blob = str_starts(entry->path, "blobs/"), small = entry->size <= DOCUMENT_MAX;
    _auto_free_ char *path = xstrdup(entry->path);
    const int64_t size = entry->size;
    tar_put_header(&head, entry);
    if (blob && write_all(b->out, head.data, head.len, e) < 0)
        return -1;
    for (ssize_t n; (n = tar_data(t, chunk, sizeof chunk, e)) != 0;) {
        if (n < 0 || (blob && write_all(b->out, chunk, (size_t)n, e) < 0))
            return -1;
        if (small)
            buf_add(&text, chunk, (size_t)n);
    }
    json_t *doc = small ? json_loadb(buf_str(&text), text.len, 0, NULL) : NULL;
    if (doc)
        json_object_set_new(docs, path, doc);
    tar_put_pad(&pad, size);
    return blob && pad.len ? write_all(b->out, pad.data, pad.len, e) : 0;
}

static int take_base(struct build *b, int base, struct err *e)
{
    const struct stream_conf conf = {.fd = base};
    const struct tar_entry *entry;
    _auto_stream_ struct stream *s = NULL;
    _auto_json_ json_t *docs = json_object();
    size_t i;
    const json_t *layer;
    int rc;
    if (stream_open(&conf, &s, e) < 0)
        return -1;
    _auto_tar_ struct tar *t = tar_new(s);
    while ((rc = tar_next(t, &entry, e)) == 1 && (rc = take_member(b, t, entry, docs, e)) == 0)
        continue;
    const json_t *image = json_array_get(json_object_get(docs, "manifest.json"), 0);
    const json_t *config = json_object_get(docs, jstr_or(image, "Config", ""));
    if (rc < 0 || !config)
        return rc < 0 ? -1 : err_set(e, ERR_CORRUPT, "the userland's archive has no config");
    b->config = json_deep_copy(config);
    json_array_foreach(json_object_get(image, "Layers"), i, layer)
    {
        strlist_add(&b->layers, json_string_value(layer));
    }
    return 0;
}

/* ---- the config ---- */

static json_t *texts(const struct strlist *l)
{
    json_t *a = json_array();
    for (size_t i = 0; i < l->len; i++)
        json_array_append_new(a, json_string(l->items[i]));
    return a;
}

static void suggest(const struct strlist *packages, json_t *command, json_t *ports)
{
    for (size_t i = 0; i < ARRAY_LEN(suggestions); i++) {
        if (!strlist_has(packages, suggestions[i].package))
            continue;
        for (size_t w = 0; suggestions[i].command[w]; w++)
            json_array_append_new(command, json_string(suggestions[i].command[w]));
        if (suggestions[i].port)
            json_object_set_new(ports, suggestions[i].port, json_object());
        return;
    }
    json_array_append_new(command, json_string("/bin/bash"));
}

static void make_config(struct build *b, const char *diff_id)
{
    const struct deb_image *spec = b->spec;
    json_t *command = texts(&spec->command), *env = texts(&spec->env), *ports = json_object();
    _auto_free_ char *packages = strlist_join(&spec->packages, " ");
    json_array_insert_new(env, 0, json_string(PATH_ENV));
    for (size_t i = 0; i < spec->ports.len; i++)
        json_object_set_new(ports, spec->ports.items[i], json_object());
    if (json_array_size(command) == 0)
        suggest(&spec->packages, command, ports);
    jset(b->config, "config",
         json_pack("{s:o, s:o, s:o, s:s}", "Cmd", command, "Env", env, "ExposedPorts", ports, "User",
                   spec->user ? spec->user : ""));
    json_array_append_new(jmake_arr(b->config, "rootfs.diff_ids"), json_string(diff_id));
    json_array_append_new(jmake_arr(b->config, "history"),
                          json_pack("{s:s, s:o}", "created", "2025-06-01T00:00:00Z", "created_by",
                                    json_sprintf("stowage image build-deb --package %s", packages)));
}

static int build(struct build *b, int base, struct err *e)
{
    char hex[SHA256_TEXT_LEN];
    _auto_buf_ struct buf end = BUF_INIT;
    sha256_init(&b->sha);
    if (make_layer(b, e) < 0 || take_base(b, base, e) < 0 || put_layer(b, e) < 0)
        return -1;
    sha256_hex(&b->sha, hex);
    _auto_free_ char *diff_id = xasprintf("sha256:%s", hex);
    make_config(b, diff_id);
    strlist_add(&b->layers, LAYER_NAME);
    _auto_json_ json_t *manifest = json_pack("[{s:s, s:[s], s:o}]", "Config", "config.json", "RepoTags", b->spec->name,
                                             "Layers", texts(&b->layers));
    if (put_document(b, "config.json", b->config, e) < 0 || put_document(b, "manifest.json", manifest, e) < 0)
        return -1;
    tar_put_end(&end);
    return write_all(b->out, end.data, end.len, e);
}

int image_build_deb(const struct deb_image *spec, int base, char **out_path, struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    const char *dir = str_empty(tmp) ? "/tmp" : tmp;
    _auto_free_ char *path = xasprintf("%s/stowage-image-XXXXXX", dir), *layer = xstrdup(path);
    struct build b = {.spec = spec, .out = mkostemp(path, O_CLOEXEC), .layer = mkostemp(layer, O_CLOEXEC)};
    int rc = b.out < 0 || b.layer < 0 ? err_sys(e, errno, "create a file in %s", dir) : build(&b, base, e);
    unlink(layer);
    close_cleanup(&b.out);
    close_cleanup(&b.layer);
    strlist_release(&b.seen);
    strlist_release(&b.layers);
    json_decref(b.config);
    if (rc < 0)
        unlink(path);
    else
        *out_path = TAKE(path);
    return rc;
}
