/* applets.c - lets files of a layer stand before the applets of busybox that have the same name.
 *
 * Debian's busybox is built so that its shell runs `wget` or `find` itself and never asks PATH. Where a layer brings a
 * program of its own, the name in that layer's copy of busybox is changed: the table of names is a list of texts in
 * order, so another name of the same length that keeps the order does it (wget becomes wgeu), and the shell then finds
 * the file as any shell would. The table is known by being exactly what `busybox --list` says; if it is not found,
 * nothing is changed, and the file is only found by those who do not ask the shell.
 *
 * THREADS: works on a file nobody else has yet. */
#include "images/images_int.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Is there a program of this name among the layer's files? */
static bool is_shadowed(const struct layer_def *def, const char *name)
{
    for (size_t i = 0; i < def->count; i++) {
        const char *slash = strrchr(def->files[i].path, '/');
        if (S_ISREG(def->files[i].mode) && (def->files[i].mode & 0111) && slash && strcmp(slash + 1, name) == 0)
            return true;
    }
    return false;
}

/* Gives `name` another last letter, between its neighbours ("" at the end of the list). */
static void rename_between(char *name, const char *before, const char *after)
{
    char *last = name + strlen(name) - 1;
    const char was = *last;
    static const char steps[] = {1, -1};
    for (size_t i = 0; i < sizeof steps; i++) {
        *last = (char)(was + steps[i]);
        if (strcmp(before, name) < 0 && (!*after || strcmp(name, after) < 0))
            return;
    }
    *last = was;
}

/* `table`: the names as they stand in the program, each with its NUL, `len` bytes in all. */
static void rename_shadowed(const struct layer_def *def, char *table, size_t len)
{
    const char *before = "";
    for (char *name = table; name < table + len; name += strlen(name) + 1) {
        const char *after = name + strlen(name) + 1;
        if (is_shadowed(def, name))
            rename_between(name, before, after < table + len ? after : "");
        before = name;
    }
}

static int list_names(const char *busybox, struct buf *out, struct err *e)
{
    _auto_free_ char *cmd = xasprintf("%s --list", busybox);
    char line[128];
    FILE *list = popen(cmd, "re");
    if (!list)
        return err_sys(e, errno, "%s", cmd);
    while (fgets(line, sizeof line, list))
        buf_add(out, line, strcspn(line, "\n") + 1);
    pclose(list);
    for (size_t i = 0; i < out->len; i++)
        out->data[i] = (char)(out->data[i] == '\n' ? '\0' : out->data[i]);
    return 0;
}

int applets_shadow(int copy, const char *busybox, const struct layer_def *def, struct err *e)
{
    struct stat st;
    _auto_buf_ struct buf names = BUF_INIT;
    if (list_names(busybox, &names, e) < 0)
        return -1;
    if (names.len == 0 || fstat(copy, &st) < 0 || st.st_size == 0)
        return 0;
    char *all = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
    if (all == MAP_FAILED)
        return err_sys(e, errno, "map busybox");
    char *table = memmem(all, (size_t)st.st_size, names.data, names.len);
    if (table)
        rename_shadowed(def, table, names.len);
    munmap(all, (size_t)st.st_size);
    return 0;
}
