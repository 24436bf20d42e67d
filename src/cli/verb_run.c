/* verb_run.c - `stowage run LAB`: a lab or a script, in a cluster of its own, with an exit code.
 *
 * DESIGN: a folder with a lab.yaml is played with its reference solution and judged; any other file is a script for
 * bash with kubectl pointed at the cluster, and its exit code the one check that is reported. With --cluster nothing is
 * started: the same checks, elsewhere. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/own_cluster.h"
#include "cli/verbs_int.h"
#include "lab/check.h"
#include "lab/report.h"
#include "lab/runner.h"
#include "lab/script.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT_MS   (30 * 60 * 1000)
#define SHOWN_BYTES 4000 /* of what a script that failed had to say, its end */

struct run_args {
    const char *what, *cluster, *seed;
    const char *junit, *json, *tap; /* where to write; "-": standard output */
    bool keep, colour, quiet;
    const char *profile;
    int nodes;
};

/* ---- reporting ---- */

static int write_text(const char *path, const struct buf *text, struct err *e)
{
    _auto_file_ FILE *f = str_eq(path, "-") ? NULL : fopen(path, "we");
    FILE *to = str_eq(path, "-") ? stdout : f;
    if (!to || fwrite(text->data, 1, text->len, to) != text->len || fflush(to) != 0)
        return err_sys(e, errno, "%s", path);
    return 0;
}

static void report_json(const json_t *report, struct buf *out)
{
    _auto_free_ char *text = json_dumps(report, JSON_INDENT(2));
    buf_addf(out, "%s\n", text);
}

static int write_reports(const struct run_args *a, const json_t *report, struct err *e)
{
    const struct {
        const char *path;
        void (*make)(const json_t *report, struct buf *out);
    } forms[] = {{a->junit, report_junit}, {a->json, report_json}, {a->tap, report_tap}};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        _auto_buf_ struct buf text = BUF_INIT;
        if (!forms[i].path)
            continue;
        forms[i].make(report, &text);
        if (write_text(forms[i].path, &text, e) < 0)
            return -1;
    }
    return 0;
}

static void on_step(void *arg, const json_t *step)
{
    const struct run_args *a = arg;
    if (!a->quiet)
        printf("%s\n", jstr_or(step, "title", jstr_or(step, "name", "")));
    fflush(stdout);
}

static void on_check(void *arg, const json_t *row)
{
    const struct run_args *a = arg;
    _auto_buf_ struct buf text = BUF_INIT;
    report_text_check(row, a->colour, &text);
    if (!a->quiet)
        fputs(buf_str(&text), stdout);
    fflush(stdout);
}

/* ---- a lab ---- */

static void print_faults(const struct strlist *faults)
{
    for (size_t i = 0; i < faults->len; i++)
        fprintf(stderr, "%s\n", faults->items[i]);
}

static int play(struct run_args *a, struct lab_env *env, struct err *e)
{
    _auto_strlist_ struct strlist obstacles = {0};
    const struct run_opts opts = {.solve = true, .on_step = on_step, .on_check = on_check, .arg = a};
    lab_obstacles(env, &obstacles);
    if (obstacles.len) {
        print_faults(&obstacles);
        return err_set(e, ERR_UNSUPPORTED, "this lab can not be run in that cluster");
    }
    _auto_json_ json_t *report = lab_run(env, &opts, e);
    if (!report || write_reports(a, report, e) < 0)
        return -1;
    _auto_buf_ struct buf score = BUF_INIT;
    report_text_score(report, &score);
    if (!a->quiet)
        printf("%s: %s\n", jstr(report, "lab"), buf_str(&score));
    return check_all_passed(report) ? 0 : 1;
}

/* A cluster of our own, or somebody's; lab may be NULL. */
static int open_env(const struct cli *cli, const struct run_args *a, const json_t *wants, const struct lab *lab,
                    struct own_cluster *own, struct lab_env *env, struct err *e)
{
    if ((a->cluster ? own_cluster_folder(own, cli, e) : own_cluster_start(own, cli, wants, NULL, e)) < 0 ||
        lab_env_open(env, lab, a->cluster ? a->cluster : own->kubeconfig, own->work, a->cluster ? NULL : &own->host,
                     e) < 0)
        return -1;
    env->janitor = &own->janitor;
    return 0;
}

static int run_lab(const struct cli *cli, struct run_args *a, struct own_cluster *own, struct err *e)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    struct lab_env env = {0};
    int code = -1;
    if (lab_load(a->what, a->seed, &lab, &faults, e) < 0) {
        print_faults(&faults);
        return faults.len ? err_set(e, ERR_BAD_REQUEST, "%s is not a lab yet: %zu fault%s", a->what, faults.len,
                                    faults.len == 1 ? "" : "s")
                          : -1;
    }
    if (open_env(cli, a, json_object_get(lab.tree, "cluster"), &lab, own, &env, e) == 0)
        code = play(a, &env, e);
    lab_env_close(&env);
    return code;
}

/* ---- a script ---- */

static int read_script(const char *path, struct buf *out, struct err *e)
{
    _auto_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    if (fd < 0)
        return err_sys(e, errno, "%s", path);
    while ((n = read(fd, buf_reserve(out, 8192), 8192)) > 0)
        out->len += (size_t)n;
    buf_addc(out, '\n');
    return n < 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* One check: did it end well? Returns new. */
static json_t *script_report(const struct run_args *a, int code, const struct buf *errors, int64_t ms)
{
    const char *slash = strrchr(a->what, '/'), *name = slash ? slash + 1 : a->what;
    const size_t from = errors->len > SHOWN_BYTES ? errors->len - SHOWN_BYTES : 0;
    const int points = code == 0;
    _auto_buf_ struct buf seen = BUF_INIT, told = BUF_INIT;
    buf_add_visible(&told, buf_str(errors) + from, errors->len - from);
    buf_addf(&seen, "exit code %d%s%s", code, told.len ? "\n" : "", buf_str(&told));
    json_t *row = json_pack("{s:s, s:b, s:i, s:i, s:I}", "name", "the script succeeds", "passed", points, "points",
                            points, "of", 1, "ms", (json_int_t)ms);
    if (code != 0) {
        jset_str(row, "expected", "exit code 0");
        jset_str(row, "observed", buf_str(&seen));
        jset_str(row, "look", "what it printed");
    }
    return json_pack("{s:s, s:s, s:f, s:i, s:i, s:[{s:s, s:s, s:i, s:i, s:[o]}]}", "lab", name, "title", name, "score",
                     100.0 * points, "points", points, "of", 1, "steps", "name", "script", "title", name, "points",
                     points, "of", 1, "checks", row);
}

static int play_script(const struct run_args *a, struct lab_env *env, const char *text, struct err *e)
{
    _auto_buf_ struct buf out = BUF_INIT, errors = BUF_INIT;
    const struct script s = {.text = text, .timeout_ms = SCRIPT_MS};
    const int64_t begin = env_now_ms();
    int code;
    if (script_run(env, &s, &code, &out, &errors, e) < 0)
        return -1;
    if (!a->quiet)
        fputs(buf_str(&out), stdout);
    fputs(buf_str(&errors), stderr);
    _auto_json_ json_t *report = script_report(a, code, &errors, env_now_ms() - begin);
    return write_reports(a, report, e) < 0 ? -1 : code;
}

static int run_script(const struct cli *cli, struct run_args *a, struct own_cluster *own, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    _auto_json_ json_t *wants = json_pack("{s:s, s:i}", "profile", a->profile, "nodes", a->nodes);
    struct lab_env env = {0};
    int code = -1;
    if (read_script(a->what, &text, e) < 0)
        return -1;
    if (open_env(cli, a, wants, NULL, own, &env, e) == 0)
        code = play_script(a, &env, buf_str(&text), e);
    lab_env_close(&env);
    return code;
}

/* ---- the verb ---- */

enum { OPT_JUNIT = 256, OPT_JSON, OPT_TAP, OPT_KEEP, OPT_CLUSTER, OPT_SEED, OPT_PROFILE, OPT_NODES };
static const struct option options[] = {
    {"junit", required_argument, NULL, OPT_JUNIT},
    {"json", required_argument, NULL, OPT_JSON},
    {"tap", required_argument, NULL, OPT_TAP},
    {"keep", no_argument, NULL, OPT_KEEP},
    {"cluster", required_argument, NULL, OPT_CLUSTER},
    {"seed", required_argument, NULL, OPT_SEED},
    {"profile", required_argument, NULL, OPT_PROFILE},
    {"nodes", required_argument, NULL, OPT_NODES},
    {NULL, 0, NULL, 0},
};

static int parse(int argc, char **argv, struct run_args *a, struct err *e)
{
    const char **const texts[] = {
        [OPT_JUNIT - 256] = &a->junit,     [OPT_JSON - 256] = &a->json, [OPT_TAP - 256] = &a->tap,
        [OPT_CLUSTER - 256] = &a->cluster, [OPT_SEED - 256] = &a->seed, [OPT_PROFILE - 256] = &a->profile,
    };
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int64_t n;
        if (opt == OPT_KEEP)
            a->keep = true;
        else if (opt == OPT_NODES && str_to_i64(optarg, &n) && n >= 1 && n <= 16)
            a->nodes = (int)n;
        else if (opt >= OPT_JUNIT && opt != OPT_NODES)
            *texts[opt - 256] = optarg;
        else
            return cli_usage(e, "run", "unknown flag, or a missing or wrong value");
    }
    if (optind + 1 != argc)
        return cli_usage(e, "run", "one lab, folder or script");
    a->what = argv[optind];
    a->quiet = str_eq(a->junit, "-") || str_eq(a->json, "-") || str_eq(a->tap, "-");
    const char *no_colour = getenv("NO_COLOR");
    a->colour = isatty(STDOUT_FILENO) && str_empty(no_colour);
    return 0;
}

/* A lab is a folder, or its lab.yaml. Returns new, or NULL. */
static char *lab_folder(const char *what)
{
    struct stat st;
    if (stat(what, &st) == 0 && S_ISDIR(st.st_mode))
        return xstrdup(what);
    const char *slash = strrchr(what, '/');
    if (!str_eq(slash ? slash + 1 : what, "lab.yaml"))
        return NULL;
    return slash ? xstrndup(what, (size_t)(slash - what)) : xstrdup(".");
}

static int run_run(const struct cli *cli, int argc, char **argv, struct err *e)
{
    struct run_args a = {.profile = "eks", .nodes = 2};
    struct own_cluster own = {0};
    if (parse(argc, argv, &a, e) < 0)
        return -1;
    _auto_free_ char *folder = lab_folder(a.what);
    if (folder)
        a.what = folder;
    const int code = folder ? run_lab(cli, &a, &own, e) : run_script(cli, &a, &own, e);
    const bool keep = a.keep && code != 0 && own.up;
    if (keep)
        fprintf(stderr,
                "kept: look inside with\n  export KUBECONFIG=%s\n  stowage shell --data %s\nand end it with\n"
                "  stowage down --data %s\n",
                own.kubeconfig, own.data, own.data);
    own_cluster_stop(&own, keep);
    return code;
}

const struct cli_verb verb_run = {
    .name = "run",
    .summary = "play a lab or a script in a cluster of its own, and judge it",
    .help = "usage: stowage run FOLDER|lab.yaml|SCRIPT [flags]\n\n"
            "A lab: starts a cluster as the lab wants it, plays each step with its reference solution, makes its "
            "checks, takes\n"
            "the cluster down. A script: for bash, with kubectl pointed at the cluster. Exit code 0: all checks passed "
            "(the\n"
            "script's own); 1: some did not; 2: it could not be run.\n\n"
            "  --junit FILE, --json FILE, --tap FILE   the report, also in this form; - is standard output\n"
            "  --keep               leave the cluster running when something failed, and say how to look inside\n"
            "  --cluster KUBECONFIG any cluster instead of one of ours: nothing is started\n"
            "  --seed TEXT          the variant of the lab: the same for the same text\n"
            "  --profile NAME       for a script: the classes it starts with (eks)\n"
            "  --nodes N            for a script: its nodes (2)\n",
    .run = run_run,
};
