/* verb_image.c - `stowage image`: what images are there, and bringing and taking them.
 *
 * DESIGN: a table of actions; each is one request to the running cluster. What takes long is answered through a pipe
 * (app/requests_image.c): reading it waits for the end. Paths are made absolute here, since the cluster has another
 * working directory; standard input goes through a file.
 *
 * When you add an action: a row, its line in the help, the man page. THREADS: none. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/image_int.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEB_BASE "debian:12-slim" /* what images of packages stand on */

struct call {
    const char *dir, *output, *name, *file, *user; /* flags; NULL or "" = not given */
    bool built_in, force, json, quiet;
    struct deb_image deb;
    json_t *request; /* owned; has the words as "refs" */
};

/* ---- asking ---- */

/* What is told, or the result of what took long. Returns new, or NULL. fds[1] is left to the caller. */
static json_t *ask(const struct call *call, const char *op, int fds[LOCAL_MAX_FDS], struct err *e)
{
    json_object_set_new(call->request, "op", json_string(op));
    return local_call_long(call->dir, call->request, fds, e);
}

static void print_json(const json_t *j)
{
    _auto_free_ char *text = json_dumps(j, JSON_INDENT(4));
    puts(text ? text : "");
}

static void print_lines(const json_t *result)
{
    size_t i;
    const json_t *line;
    json_array_foreach(json_object_get(result, "lines"), i, line)
    {
        puts(json_string_value(line));
    }
}

static const char *first(const struct call *call)
{
    return json_string_value(json_array_get(json_object_get(call->request, "refs"), 0));
}

static void set_first(const struct call *call, const char *text)
{
    json_array_set_new(json_object_get(call->request, "refs"), 0, json_string(text));
}

/* ---- actions ---- */

static int run_ls(struct call *call, struct err *e)
{
    int fds[LOCAL_MAX_FDS];
    json_object_set_new(call->request, "built-in", json_boolean(call->built_in));
    _auto_json_ json_t *list = ask(call, "image-ls", fds, e);
    size_t i;
    const json_t *image;
    if (!list)
        return -1;
    if (call->json)
        print_json(list);
    else if (call->quiet)
        json_array_foreach(list, i, image)
        {
            puts(jstr_or(image, call->built_in ? "Repository" : "Id", ""));
        }
    else if (call->built_in)
        image_print_catalogue(list);
    else
        image_print_list(list);
    return 0;
}

static int run_inspect(struct call *call, struct err *e)
{
    int fds[LOCAL_MAX_FDS];
    _auto_json_ json_t *told = ask(call, "image-inspect", fds, e);
    if (told)
        print_json(told);
    return told ? 0 : -1;
}

static int run_history(struct call *call, struct err *e)
{
    int fds[LOCAL_MAX_FDS];
    _auto_json_ json_t *told = ask(call, "image-history", fds, e);
    if (!told)
        return -1;
    if (call->json)
        print_json(told);
    else
        image_print_history(told);
    return 0;
}

/* Asks for what takes long, and prints what it says. */
static int run_lines(struct call *call, const char *op, struct err *e)
{
    int fds[LOCAL_MAX_FDS];
    _auto_json_ json_t *result = ask(call, op, fds, e);
    if (result)
        print_lines(result);
    return result ? 0 : -1;
}

static int copy_fd(int from, int to, struct err *e)
{
    char chunk[65536];
    for (ssize_t n; (n = read(from, chunk, sizeof chunk)) != 0;) {
        if (n < 0)
            return err_sys(e, errno, "read");
        for (ssize_t done = 0, k; done < n; done += k)
            if ((k = write(to, chunk + done, (size_t)(n - done))) < 0)
                return err_sys(e, errno, "write");
    }
    return 0;
}

/* Standard input as a file. Returns its path (new), or NULL. */
static char *stdin_as_file(struct err *e)
{
    const char *tmp = getenv("TMPDIR");
    _auto_free_ char *path = xasprintf("%s/stowage-image-XXXXXX", str_empty(tmp) ? "/tmp" : tmp);
    _auto_close_ int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        err_sys(e, errno, "create %s", path);
        return NULL;
    }
    if (copy_fd(STDIN_FILENO, fd, e) == 0)
        return TAKE(path);
    unlink(path);
    return NULL;
}

static int run_import(struct call *call, struct err *e)
{
    const bool piped = str_eq(first(call), "-");
    _auto_free_ char *path = piped ? stdin_as_file(e) : realpath(first(call), NULL);
    if (!path)
        return piped ? -1 : err_sys(e, errno, "%s", first(call));
    set_first(call, path);
    const int rc = run_lines(call, "image-import", e);
    if (piped)
        unlink(path);
    return rc;
}

static int run_pull(struct call *call, struct err *e)
{
    const char *ref = first(call);
    if (!str_starts(ref, "oci:"))
        return run_lines(call, "image-pull", e);
    _auto_free_ char *path = xstrdup(ref + 4);
    set_first(call, path);
    return run_import(call, e);
}

static int run_tag(struct call *call, struct err *e)
{
    json_t *refs = json_object_get(call->request, "refs");
    json_object_set_new(call->request, "name", json_incref(json_array_get(refs, 1)));
    return run_lines(call, "image-tag", e);
}

static int run_rm(struct call *call, struct err *e)
{
    json_object_set_new(call->request, "force", json_boolean(call->force));
    return run_lines(call, "image-rm", e);
}

static int run_export(struct call *call, struct err *e)
{
    int fds[LOCAL_MAX_FDS] = {-1, -1, -1, -1};
    const bool to_stdout = str_empty(call->file) || str_eq(call->file, "-");
    if (to_stdout && isatty(STDOUT_FILENO))
        return cli_usage(e, "image", "an archive is nothing for a terminal: -f FILE, or redirect it");
    _auto_json_ json_t *result = ask(call, "image-export", fds, e);
    _auto_close_ int archive = fds[1];
    if (!result)
        return -1;
    _auto_close_ int file = to_stdout ? -1 : open(call->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (!to_stdout && file < 0)
        return err_sys(e, errno, "create %s", call->file);
    if (lseek(archive, 0, SEEK_SET) < 0)
        return err_sys(e, errno, "the archive");
    return copy_fd(archive, to_stdout ? STDOUT_FILENO : file, e);
}

static int run_build_deb(struct call *call, struct err *e)
{
    _auto_free_ char *path = NULL;
    call->deb.user = call->user;
    if (call->deb.packages.len == 0)
        return cli_usage(e, "image", "build-deb: of which package? --package NAME or --package FILE.deb");
    _auto_free_ char *name = xstrdup(first(call));
    int fds[LOCAL_MAX_FDS] = {-1, -1, -1, -1};
    call->deb.name = name;
    set_first(call, DEB_BASE);
    _auto_json_ json_t *exported = ask(call, "image-export", fds, e);
    _auto_close_ int base = fds[1];
    if (!exported || lseek(base, 0, SEEK_SET) < 0 || image_build_deb(&call->deb, base, &path, e) < 0)
        return -1;
    set_first(call, path);
    const int rc = run_lines(call, "image-import", e);
    unlink(path);
    return rc;
}

static const struct action {
    const char *name;
    int min, max; /* words; max < 0 = any number */
    int (*run)(struct call *call, struct err *e);
} actions[] = {
    {"ls", 0, 0, run_ls},           {"list", 0, 0, run_ls},       {"inspect", 1, -1, run_inspect},
    {"history", 1, 1, run_history}, {"import", 1, 1, run_import}, {"load", 1, 1, run_import},
    {"export", 1, -1, run_export},  {"save", 1, -1, run_export},  {"rm", 1, -1, run_rm},
    {"pull", 1, 1, run_pull},       {"tag", 2, 2, run_tag},       {"build-deb", 1, 1, run_build_deb},
};

/* ---- flags ---- */

static int parse(int argc, char **argv, struct call *call, const char **data, struct err *e)
{
    static const struct option options[] = {{"data", required_argument, NULL, 'd'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"name", required_argument, NULL, 'n'},
                                            {"file", required_argument, NULL, 'f'},
                                            {"force", no_argument, NULL, 'F'},
                                            {"built-in", no_argument, NULL, 'b'},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"package", required_argument, NULL, 'p'},
                                            {"command", required_argument, NULL, 'c'},
                                            {"env", required_argument, NULL, 'E'},
                                            {"port", required_argument, NULL, 'P'},
                                            {"user", required_argument, NULL, 'u'},
                                            {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "o:n:f:qp:", options, NULL)) != -1;) {
        switch (opt) {
        case 'd':
            *data = optarg;
            break;
        case 'n':
            call->name = optarg;
            break;
        case 'f':
            call->file = optarg;
            break;
        case 'F':
            call->force = true;
            break;
        case 'b':
            call->built_in = true;
            break;
        case 'q':
            call->quiet = true;
            break;
        case 'u':
            call->user = optarg;
            break;
        case 'p':
            strlist_add(&call->deb.packages, optarg);
            break;
        case 'c':
            strlist_add(&call->deb.command, optarg);
            break;
        case 'E':
            strlist_add(&call->deb.env, optarg);
            break;
        case 'P':
            strlist_add(&call->deb.ports, optarg);
            break;
        case 'o':
            call->json = str_eq(optarg, "json");
            if (!call->json)
                return cli_usage(e, "image", "the only output is json");
            break;
        default:
            return cli_usage(e, "image", "unknown flag or missing value");
        }
    }
    return 0;
}

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (str_eq(actions[i].name, name))
            return &actions[i];
    return NULL;
}

static void call_release(struct call *call)
{
    json_decref(call->request);
    strlist_release(&call->deb.packages);
    strlist_release(&call->deb.command);
    strlist_release(&call->deb.env);
    strlist_release(&call->deb.ports);
}

static int image_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    _cleanup_(call_release) struct call call = {.request = json_object()};
    const char *data = NULL;
    if (parse(argc, argv, &call, &data, e) < 0)
        return -1;
    const struct action *action = optind < argc ? find_action(argv[optind]) : NULL;
    if (!action)
        return cli_usage(e, "image",
                         "what is to be done: ls, inspect, history, import, export, pull, tag, rm or "
                         "build-deb?");
    json_t *refs = json_array();
    json_object_set_new(call.request, "refs", refs);
    for (int i = optind + 1; i < argc; i++)
        json_array_append_new(refs, json_string(argv[i]));
    const int words = argc - optind - 1;
    if (words < action->min || (action->max >= 0 && words > action->max))
        return cli_usage(e, "image", "%s takes %s", action->name,
                         action->max == 0   ? "no words"
                         : action->max == 2 ? "an image and a name"
                                            : "one or more words");
    if (call.name)
        json_object_set_new(call.request, "name", json_string(call.name));
    _auto_free_ char *dir = cli_data_dir(data);
    call.dir = dir;
    return action->run(&call, e);
}

const struct cli_verb verb_image = {
    .name = "image",
    .words = "ls import pull export inspect history tag rm build-deb",
    .summary = "the images of the cluster: list, import, export, look into, remove; build from packages",
    .help =
        "usage: stowage image ls [--built-in] [-q|--quiet] [-o|--output json]\n"
        "       stowage image import ARCHIVE|DIRECTORY|- [-n|--name NAME]\n"
        "       stowage image pull localhost:5000/TEAM/APP:TAG | oci:DIRECTORY [-n NAME]\n"
        "       stowage image export IMAGE... [-f|--file FILE]\n"
        "       stowage image inspect IMAGE...\n"
        "       stowage image history IMAGE [-o json]\n"
        "       stowage image tag IMAGE NAME\n"
        "       stowage image rm IMAGE... [--force]\n"
        "       stowage image build-deb NAME --package PACKAGE|FILE.deb... [--command WORD]... [--env NAME=VALUE]...\n"
        "                                [--port 80/tcp]... [--user USER]\n\n"
        "There is no network, so images come from elsewhere as files: `docker save app:1 | stowage image import -`. "
        "Taken\n"
        "are `docker save` archives and OCI layouts, as archives (gzipped too) or as a directory. Layers are stacked "
        "by\n"
        "overlay as in containerd; images share those they have in common. ls --built-in lists what needs no import.\n"
        "An image is removed with its last name, and not while a pod uses it. --force takes the name anyway.\n"
        "build-deb makes an image of programs that this machine has as Debian packages (installed, in the apt cache, "
        "or\n"
        "a .deb file), with what they depend on, above a small userland.\n"
        "Every action takes [--data DIR].\n",
    .run = image_run,
};
