/* layers.c - unpacks a built-in layer into the cache, once.
 *
 * A layer is a directory named by what is in it (id, version and a fingerprint of its content, of the guest program and
 * of the machine's busybox), so a newer Stowage makes new ones and never changes one that a container may use. It is
 * built under a temporary name and renamed: a half-made layer is never seen, and two builders at once do no harm.
 *
 * THREADS: any; the file system decides who wins. */
#include "images/images_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

/* To be changed with how layers are made. */
#define LAYOUT "3: our program is there once"

const char LAYER_GUEST[] = "\1guest";

static const char *const busybox_places[] = {"/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox"};

/* Is it an ELF file without an interpreter? A dynamic one would not find its libraries in a container. */
static bool is_static_elf(int fd)
{
    unsigned char head[4096];
    const ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 64 || memcmp(head, "\177ELF\2", 5) != 0)
        return false;
    uint64_t at;
    uint16_t size, count;
    memcpy(&at, head + 32, sizeof at);
    memcpy(&size, head + 54, sizeof size);
    memcpy(&count, head + 56, sizeof count);
    for (uint16_t i = 0; i < count; i++) {
        const uint64_t off = at + (uint64_t)i * size;
        uint32_t type;
        if (off + sizeof type > (uint64_t)n)
            return false;
        memcpy(&type, head + off, sizeof type);
        if (type == 3) /* PT_INTERP */
            return false;
    }
    return true;
}

static int busybox_open(const char **out_path, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(busybox_places); i++) {
        _auto_close_ int fd = open(busybox_places[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || !is_static_elf(fd))
            continue;
        *out_path = busybox_places[i];
        return TAKE_FD(fd);
    }
    return err_set(e, ERR_UNSUPPORTED,
                   "the built-in images need a static busybox at %s: install the package busybox-static",
                   busybox_places[0]);
}

/* ---- building ---- */

static int make_parents(int root, const char *path, struct err *e)
{
    _auto_free_ char *copy = xstrdup(path);
    for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdirat(root, copy, 0755) < 0 && errno != EEXIST)
            return err_sys(e, errno, "mkdir %s", copy);
        *slash = '/';
    }
    return 0;
}

static int write_all(int fd, const void *data, size_t len, struct err *e)
{
    const char *at = data;
    while (len) {
        const ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(e, errno, "write");
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static char *with_version(const char *text, const char *version)
{
    _auto_buf_ struct buf b = BUF_INIT;
    static const char mark[] = "@VERSION@";
    for (const char *at; (at = strstr(text, mark)); text = at + sizeof mark - 1) {
        buf_add(&b, text, (size_t)(at - text));
        buf_adds(&b, version);
    }
    buf_adds(&b, text);
    return buf_steal(&b, NULL);
}

/* A static program of this machine by its name. Returns its descriptor, or -1. */
static int program_open(const char *name)
{
    static const char *const places[] = {"/usr/local/bin", "/usr/bin", "/bin", "/snap/bin"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        _auto_free_ char *path = xasprintf("%s/%s", places[i], name);
        _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && is_static_elf(fd))
            return TAKE_FD(fd);
    }
    return -1;
}

static int copy_whole(int to, int from, struct err *e)
{
    struct stat st;
    if (fstat(from, &st) < 0)
        return err_sys(e, errno, "stat");
    for (off_t at = 0; at < st.st_size;)
        if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0)
            return err_sys(e, errno, "copy");
    return 0;
}

static int put_program(int to, const char *name, struct err *e)
{
    _auto_close_ int from = program_open(name);
    if (from >= 0)
        return copy_whole(to, from, e);
    _auto_free_ char *text =
        xasprintf("#!/bin/sh\necho '%s: this machine has none that runs without libraries, so this "
                  "image has none' >&2\nexit 127\n",
                  name);
    return write_all(to, text, strlen(text), e);
}

/* guest: where the layer has our program already, or NULL. */
static int put_regular(int root, const struct layer_file *f, const char *version, const char *guest, struct err *e)
{
    unlinkat(root, f->path, 0); /* it may be a link to busybox, which must stay as it is */
    if (f->text == LAYER_GUEST && guest)
        return linkat(root, guest, root, f->path, 0) < 0 ? err_sys(e, errno, "link %s", f->path) : 0;
    _auto_close_ int fd = openat(root, f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, f->mode & 07777);
    if (fd < 0)
        return err_sys(e, errno, "create %s", f->path);
    if (fchmod(fd, f->mode & 07777) < 0)
        return err_sys(e, errno, "chmod %s", f->path);
    if (f->text == LAYER_GUEST)
        return write_all(fd, guest_program, guest_program_size, e);
    if (str_starts(f->text, LAYER_PROGRAM))
        return put_program(fd, f->text + 1, e);
    _auto_free_ char *text = with_version(f->text, version);
    return write_all(fd, text, strlen(text), e);
}

static int put_file(int root, const struct layer_file *f, const char *version, const char *guest, struct err *e)
{
    if (make_parents(root, f->path, e) < 0)
        return -1;
    switch (f->mode & S_IFMT) {
    case S_IFDIR:
        if (mkdirat(root, f->path, 0755) < 0 && errno != EEXIST)
            return err_sys(e, errno, "mkdir %s", f->path);
        return fchmodat(root, f->path, f->mode & 07777, 0) < 0 ? err_sys(e, errno, "chmod %s", f->path) : 0;
    case S_IFLNK:
        return symlinkat(f->text, root, f->path) < 0 && errno != EEXIST ? err_sys(e, errno, "link %s", f->path) : 0;
    default:
        return put_regular(root, f, version, guest, e);
    }
}

static int copy_busybox(int root, int busybox, const char *path, const struct layer_def *def, struct err *e)
{
    if (make_parents(root, "bin/busybox", e) < 0)
        return -1;
    _auto_close_ int to = openat(root, "bin/busybox", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (to < 0)
        return err_sys(e, errno, "bin/busybox");
    fchmod(to, 0755);
    if (copy_whole(to, busybox, e) < 0)
        return err_wrap(e, "bin/busybox");
    return applets_shadow(to, path, def, e);
}

/* A link for each applet, at the path busybox itself names, or all in /bin. */
static int link_applets(int root, const char *busybox, enum layer_applets how, struct err *e)
{
    _auto_free_ char *cmd = xasprintf("%s --list-full", busybox);
    FILE *list = popen(cmd, "re");
    if (!list)
        return err_sys(e, errno, "%s", cmd);
    char line[128];
    int result = 0;
    while (result == 0 && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        const char *base = strrchr(line, '/');
        base = base ? base + 1 : line;
        if (!*base || str_eq(base, "busybox") || str_eq(base, "linuxrc"))
            continue;
        _auto_free_ char *path = how == APPLETS_IN_BIN ? xasprintf("bin/%s", base) : xstrdup(line);
        result = make_parents(root, path, e);
        if (result == 0 && linkat(root, "bin/busybox", root, path, 0) < 0 && errno != EEXIST)
            result = err_sys(e, errno, "link %s", path);
    }
    pclose(list);
    return result;
}

static int fill(int root, const struct layer_def *def, const char *version, struct err *e)
{
    if (def->applets != APPLETS_NONE) {
        const char *path = NULL;
        _auto_close_ int busybox = busybox_open(&path, e);
        if (busybox < 0 || copy_busybox(root, busybox, path, def, e) < 0 ||
            link_applets(root, path, def->applets, e) < 0)
            return -1;
    }
    const char *guest = NULL;
    for (size_t i = 0; i < def->count; i++) {
        const struct layer_file *f = &def->files[i];
        if (put_file(root, f, version, guest, e) < 0)
            return -1;
        if (f->text == LAYER_GUEST && !guest)
            guest = f->path;
    }
    return 0;
}

/* ---- the cache ---- */

static void add_stat(struct sha256 *s, const struct stat *st)
{
    sha256_add(s, &st->st_size, sizeof st->st_size);
    sha256_add(s, &st->st_mtim, sizeof st->st_mtim);
}

static void fingerprint(const struct layer_def *def, char out[13])
{
    struct sha256 s;
    struct stat st;
    char hex[SHA256_TEXT_LEN];
    sha256_init(&s);
    sha256_add(&s, LAYOUT, sizeof LAYOUT);
    for (size_t i = 0; i < def->count; i++) {
        const struct layer_file *f = &def->files[i];
        sha256_add(&s, f->path, strlen(f->path) + 1);
        sha256_add(&s, &f->mode, sizeof f->mode);
        if (f->text == LAYER_GUEST)
            sha256_add(&s, guest_digest, strlen(guest_digest));
        else if (f->text)
            sha256_add(&s, f->text, strlen(f->text) + 1);
        _auto_close_ int program = f->text && str_starts(f->text, LAYER_PROGRAM) ? program_open(f->text + 1) : -1;
        if (program >= 0 && fstat(program, &st) == 0)
            add_stat(&s, &st);
    }
    for (size_t i = 0; def->applets != APPLETS_NONE && i < ARRAY_LEN(busybox_places); i++)
        if (stat(busybox_places[i], &st) == 0)
            add_stat(&s, &st);
    sha256_hex(&s, hex);
    snprintf(out, 13, "%s", hex);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

int layer_make(const char *dir, const struct layer_def *def, const char *version, char **out_path, bool *out_made,
               struct err *e)
{
    char print[13];
    fingerprint(def, print);
    _auto_free_ char *path = xasprintf("%s/%s-%s-%s", dir, def->id, version, print);
    *out_made = access(path, F_OK) < 0;
    if (*out_made) {
        _auto_free_ char *temp = xasprintf("%s/.new-XXXXXX", dir);
        if (!mkdtemp(temp))
            return err_sys(e, errno, "mkdir %s", temp);
        chmod(temp, 0755);
        _auto_close_ int root = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int result = root < 0 ? err_sys(e, errno, "open %s", temp) : fill(root, def, version, e);
        if (result == 0 && rename(temp, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
            result = err_sys(e, errno, "rename %s", temp);
        if (access(temp, F_OK) == 0)
            nftw(temp, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        if (result < 0)
            return err_wrap(e, "unpack layer %s", def->id);
    }
    *out_path = TAKE(path);
    return 0;
}
