/* cli.c - the table of verbs, the help, and the dispatch. See cli.h.
 *
 * DESIGN: a verb never prints its own errors; it fills `struct err`, and the one place below words them and picks the
 * exit code from the same table that the API server uses. */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/str.h"
#include "cli/verbs_int.h"

#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_verb *const verbs[] = {
    &verb_up,    &verb_down,  &verb_status,  &verb_shell,      &verb_console,    &verb_why,     &verb_disk,
    &verb_image, &verb_clock, &verb_node,    &verb_checkpoint, &verb_run,        &verb_lab,     &verb_class,
    &verb_grade, &verb_repl,  &verb_kubectl, &verb_doctor,     &verb_completion, &verb_version, NULL,
};

const struct cli_verb *const *cli_verbs(void)
{
    return verbs;
}

static void print_help(FILE *out)
{
    fputs("stowage - a Kubernetes storage cluster in one small binary\n\nusage: stowage VERB [FLAGS]\n\n", out);
    for (const struct cli_verb *const *v = verbs; *v; v++)
        fprintf(out, "  %-12s %s\n", (*v)->name, (*v)->summary);
    fputs("\n`stowage VERB --help` says more. STOWAGE_DATA names the data directory.\n"
          "Start here: `stowage up`, then `export KUBECONFIG=…` as it prints, then `kubectl get nodes`.\n",
          out);
}

static const struct cli_verb *find(const char *name)
{
    for (const struct cli_verb *const *v = verbs; *v; v++)
        if (str_eq((*v)->name, name))
            return *v;
    return NULL;
}

char *cli_data_dir(const char *given)
{
    const char *dir = given;
    _auto_free_ char *made = NULL;
    if (str_empty(dir))
        dir = getenv("STOWAGE_DATA");
    if (str_empty(dir) && geteuid() == 0)
        dir = "/var/lib/stowage";
    if (str_empty(dir)) {
        const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
        made = str_empty(xdg) ? xasprintf("%s/.local/share/stowage", str_empty(home) ? "/tmp" : home)
                              : xasprintf("%s/stowage", xdg);
        dir = made;
    }
    if (dir[0] == '/')
        return xstrdup(dir);
    char cwd[PATH_MAX];
    return xasprintf("%s/%s", getcwd(cwd, sizeof cwd) ? cwd : "", dir);
}

char *cli_data_flag(const char *verb, bool in_front, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {{"data", required_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    const char *data = NULL;
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, in_front ? "+" : "", options, NULL)) != -1;) {
        if (opt != 'd') {
            cli_usage(e, verb, "unknown flag or missing value");
            return NULL;
        }
        data = optarg;
    }
    return cli_data_dir(data);
}

int cli_usage(struct err *e, const char *verb, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_USAGE, "%s (see `stowage %s --help`)", text, verb);
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h"))
            return true;
    return false;
}

static int run_verb(const struct cli *cli, const struct cli_verb *v, int argc, char **argv)
{
    if (!v->own_flags && wants_help(argc, argv)) {
        printf("stowage %s - %s\n\n%s", v->name, v->summary, v->help);
        return 0;
    }
    struct err e = ERR_INIT;
    int code = v->run(cli, argc, argv, &e);
    if (code >= 0)
        return code;
    fprintf(stderr, "stowage: %s\n", e.msg);
    return err_exit_code(e.code);
}

/* A link of that name is kubectl, for machines that have none; k is what courses call it. */
static bool called_as_kubectl(const char *argv0)
{
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL, *name = slash ? slash + 1 : argv0;
    return str_eq(name, "kubectl") || str_eq(name, "k");
}

int cli_main(const struct cli_host *host, int argc, char **argv)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n < 0)
        n = 0;
    exe[n] = '\0';
    struct cli cli = {host, exe};

    if (called_as_kubectl(argv[0]))
        return run_verb(&cli, &verb_kubectl, argc, argv);
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (str_eq(argv[1], "help") || str_eq(argv[1], "--help") || str_eq(argv[1], "-h")) {
        const struct cli_verb *v = argc > 2 ? find(argv[2]) : NULL;
        if (v)
            printf("stowage %s - %s\n\n%s", v->name, v->summary, v->help);
        else
            print_help(stdout);
        return 0;
    }
    const char *name = str_eq(argv[1], "--version") ? "version" : argv[1];
    const struct cli_verb *v = find(name);
    if (!v) {
        fprintf(stderr, "stowage: no verb \"%s\" (`stowage --help` lists them)\n", argv[1]);
        return 2;
    }
    return run_verb(&cli, v, argc - 1, argv + 1);
}
