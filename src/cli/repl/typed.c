/* typed.c - the file of what was typed: one line a command, readable by its owner alone.
 *
 * DESIGN: appended to at once, so several sessions and a killed one lose nothing; cut when one begins. What can not be
 * written is not remembered beyond this session, and nobody is bothered with it. */
#include "base/buf.h"
#include "base/mem.h"
#include "cli/repl/line_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT      1000
#define CUT_ABOVE 2000

bool typed_secret(const char *text)
{
    static const char *const signs[] = {"--from-literal", "--docker-password", "--password",
                                        "--token",        "stringData",        "PASSWORD=",
                                        "TOKEN=",         "SECRET=",           "password="};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (strstr(text, signs[i]))
            return true;
    return false;
}

static void make_folders(const char *path)
{
    _auto_free_ char *dir = xstrdup(path);
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(dir, 0700);
        *slash = '/';
    }
}

char *state_path(const char *name)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (str_empty(state) && str_empty(home))
        return NULL;
    char *path = str_empty(state) ? xasprintf("%s/.local/state/stowage/%s", home, name)
                                  : xasprintf("%s/stowage/%s", state, name);
    make_folders(path);
    return path;
}

void typed_append(const char *path, const char *text)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int fd = open(path, flags, 0600);
    if (fd < 0 && errno == ENOENT) {
        make_folders(path);
        fd = open(path, flags, 0600);
    }
    _auto_close_ int file = fd;
    _auto_free_ char *row = xasprintf("%s\n", text);
    const ssize_t n = file < 0 ? 0 : write(file, row, strlen(row));
    (void)n;
}

static void cut(const char *path, const struct strlist *lines)
{
    _auto_free_ char *fresh = xasprintf("%s.new", path);
    unlink(fresh);
    for (size_t i = lines->len - KEPT; i < lines->len; i++)
        typed_append(fresh, lines->items[i]);
    if (rename(fresh, path) < 0)
        unlink(fresh);
}

void typed_load(const char *path, struct strlist *out)
{
    _auto_file_ FILE *f = fopen(path, "re");
    _auto_free_ char *row = NULL;
    size_t cap = 0;
    for (ssize_t n; f && (n = getline(&row, &cap, f)) > 0;) {
        row[strcspn(row, "\n")] = '\0';
        strlist_add(out, row);
    }
    if (out->len > CUT_ABOVE)
        cut(path, out);
}
