/* deb_packages.c - Debian packages on this machine: installed, in apt's cache, or a file; and what they depend on.
 *
 * DESIGN: dpkg's own tools are asked, nothing is fetched. A package file in the cache comes before an installed
 * package, since it is whole; of alternatives the first that is there is taken. What only a real system needs (dpkg
 * itself, init scripts' helpers) is left out. THREADS: none. Source: Debian policy manual, chapter 7. */
#include "cli/image_int.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#define CACHE        "/var/cache/apt/archives"
#define PACKAGES_MAX 400
#define OUTPUT_MAX   (16 << 20)

extern char **environ;

/* Needed by installing, not by running. */
static const char *const left_out[] = {"dpkg",         "debconf",        "debconf-2.0",
                                       "adduser",      "lsb-base",       "perl-base",
                                       "perl",         "sysvinit-utils", "init-system-helpers",
                                       "install-info", "systemd",        "passwd",
                                       "login",        "libpam-runtime", "cdebconf",
                                       "iproute2"};

void deb_packages_release(struct deb_packages *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->items[i].name);
        free(p->items[i].file);
        free(p->items[i].provides);
    }
    free(p->items);
    *p = (struct deb_packages){0};
}

/* ---- programs ---- */

int run_begin(const char *const *argv, int *out_pid)
{
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    const int rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return -1;
    }
    *out_pid = pid;
    return ends[0];
}

int run_end(int fd, int pid)
{
    int status = -1;
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

char *output_of(const char *const *argv)
{
    int pid;
    _auto_buf_ struct buf out = BUF_INIT;
    const int fd = run_begin(argv, &pid);
    if (fd < 0)
        return NULL;
    for (ssize_t n; out.len < OUTPUT_MAX && (n = read(fd, buf_reserve(&out, 8192), 8192)) > 0;)
        out.len += (size_t)n;
    buf_addc(&out, '\0');
    return run_end(fd, pid) == 0 ? buf_steal(&out, NULL) : NULL;
}

/* ---- where a package is ---- */

static char *cached_file(const char *name)
{
    glob_t found;
    char *file = NULL;
    _auto_free_ char *pattern = xasprintf(CACHE "/%s_*.deb", name);
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
        file = xstrdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return file;
}

static bool is_installed(const char *name)
{
    const char *const argv[] = {"dpkg-query", "-W", "-f", "${db:Status-Status}", name, NULL};
    _auto_free_ char *status = output_of(argv);
    return status && str_starts(status, "installed");
}

static bool is_file(const char *wanted)
{
    return str_ends(wanted, ".deb");
}

/* True if this machine has it; *out_file is new or NULL. */
static bool locate(const char *wanted, char **out_file)
{
    struct stat st;
    *out_file = NULL;
    if (is_file(wanted)) {
        *out_file = stat(wanted, &st) == 0 ? xstrdup(wanted) : NULL;
        return *out_file != NULL;
    }
    if (strspn(wanted, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != strlen(wanted) || !*wanted)
        return false; /* no name of a package: nothing that a pattern could be made of */
    *out_file = cached_file(wanted);
    return *out_file || is_installed(wanted);
}

/* ---- dependencies ---- */

/* A field of the package. Returns new, or NULL. */
static char *field_of(const struct deb_package *p, const char *format)
{
    _auto_free_ char *show = xasprintf("--showformat=%s", format);
    const char *const of_file[] = {"dpkg-deb", "-W", show, p->file, NULL};
    const char *const installed[] = {"dpkg-query", "-W", "-f", format, p->name, NULL};
    return output_of(p->file ? of_file : installed);
}

/* Is the name one of the list "a, b (= 1)"? */
static bool list_names(const char *list, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = list; at && (at = strstr(at, name)); at += n)
        if ((at == list || strchr(" ,", at[-1])) && strchr(" ,(:", at[n]))
            return true;
    return false;
}

static bool has(const struct deb_packages *all, const char *name)
{
    for (size_t i = 0; i < all->len; i++)
        if (str_eq(all->items[i].name, name) || list_names(all->items[i].provides, name))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
        if (str_eq(left_out[i], name))
            return true;
    return false;
}

static int add(struct deb_packages *all, const char *name, char *take_file, struct err *e)
{
    if (all->len == PACKAGES_MAX) {
        free(take_file);
        return err_set(e, ERR_TOO_LARGE, "more than %d packages", PACKAGES_MAX);
    }
    all->items = xrealloc(all->items, (all->len + 1) * sizeof *all->items);
    struct deb_package *p = &all->items[all->len++];
    *p = (struct deb_package){xstrdup(name), take_file, NULL};
    p->provides = field_of(p, "${Provides}");
    return 0;
}

/* " libc6 (>= 2.34) " -> "libc6", "python3:any" -> "python3". Returns new. */
static char *plain_name(const char *text)
{
    text += strspn(text, " \t\n");
    return xstrndup(text, strcspn(text, " :(\t\n"));
}

/* "default-mta | mail-transport-agent": the first that is there. */
static int add_one_of(struct deb_packages *all, const char *alternatives, struct strlist *missing, struct err *e)
{
    _auto_strlist_ struct strlist names = {0};
    strlist_split(&names, alternatives, '|');
    for (size_t i = 0; i < names.len; i++) {
        char *plain = plain_name(names.items[i]);
        free(names.items[i]);
        names.items[i] = plain;
        if (!*plain || has(all, plain))
            return 0;
    }
    for (size_t i = 0; i < names.len; i++) {
        char *file = NULL;
        if (locate(names.items[i], &file))
            return add(all, names.items[i], file, e);
    }
    if (!strlist_has(missing, names.items[0]))
        strlist_add(missing, names.items[0]);
    return 0;
}

int deb_packages_find(const struct strlist *wanted, struct deb_packages *out, struct strlist *missing, struct err *e)
{
    for (size_t i = 0; i < wanted->len; i++) {
        char *file = NULL;
        if (!locate(wanted->items[i], &file))
            return err_set(e, ERR_NOT_FOUND,
                           "%s is neither installed nor in " CACHE " (fetch it with: apt-get install --download-only "
                           "%s)",
                           wanted->items[i], wanted->items[i]);
        if (add(out, wanted->items[i], file, e) < 0)
            return -1;
    }
    for (size_t i = 0; i < out->len; i++) { /* it grows meanwhile */
        _auto_strlist_ struct strlist fields = {0};
        _auto_free_ char *depends = field_of(&out->items[i], "${Pre-Depends}, ${Depends}");
        if (!depends)
            return err_set(e, ERR_CORRUPT, "%s: dpkg cannot read it", out->items[i].name);
        strlist_split(&fields, depends, ',');
        for (size_t f = 0; f < fields.len; f++)
            if (add_one_of(out, fields.items[f], missing, e) < 0)
                return -1;
    }
    return 0;
}
