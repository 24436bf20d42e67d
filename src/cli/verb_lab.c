/* verb_lab.c - `stowage lab list|lint|schema`: the labs that are there, and whether they are well made. */
#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/lab_lint.h"
#include "cli/lab_place.h"
#include "cli/lab_session.h"
#include "cli/lab_view.h"
#include "cli/spawn.h"
#include "cli/verbs_int.h"
#include "lab/format.h"
#include "lab/lab.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- list ---- */

static void print_lab(const char *dir)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    struct err e = ERR_INIT;
    if (lab_load(dir, NULL, &lab, &faults, &e) < 0) {
        if (e.code != ERR_NOT_FOUND)
            printf("%-28s (%s)\n", strrchr(dir, '/') + 1, e.msg);
        return;
    }
    printf("%-28s %3lld min  %3d points  %s\n", lab.name, (long long)jint(lab.tree, "minutes", 0), lab_points(&lab),
           jstr_or(lab.tree, "title", ""));
}

static int list_json(const char *labs, struct err *e)
{
    _auto_free_ char *home = lab_home(NULL, e);
    _auto_json_ json_t *rows = home ? lab_catalogue(labs, home, e) : NULL;
    _auto_free_ char *text = rows ? json_dumps(rows, JSON_INDENT(2)) : NULL;
    if (text)
        puts(text);
    return text ? 0 : -1;
}

static int lab_list(const struct cli *cli, int argc, char **argv, struct err *e)
{
    _auto_free_ char *labs = labs_dir(cli);
    if (argc == 3 && str_eq(argv[1], "-o") && str_eq(argv[2], "json"))
        return list_json(labs, e);
    if (argc > 1)
        return cli_usage(e, "lab", "list takes -o json, nothing else");
    struct dirent **names;
    const int n = labs ? scandir(labs, &names, NULL, alphasort) : -1;
    if (n < 0)
        return err_set(e, ERR_NOT_FOUND, "no labs here: name their folder in STOWAGE_LABS");
    for (int i = 0; i < n; i++) {
        _auto_free_ char *dir = xasprintf("%s/%s", labs, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            print_lab(dir);
        free(names[i]);
    }
    free(names);
    return 0;
}

/* ---- lint, schema ---- */

static int lab_lint_run(const struct cli *cli, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {{"play", no_argument, NULL, 'p'},
                                            {"near-misses", required_argument, NULL, 'm'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    struct lint_opts opts = {0};
    int worst = 0;
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        int64_t n = 0;
        if (opt == '?' || (opt != 'p' && (!str_to_i64(optarg, &n) || n < 1 || n > 10000)))
            return cli_usage(e, "lab", "unknown flag, or a missing or wrong value");
        opts.play = true;
        opts.only = opt == 'm' ? (int)n : opts.only;
        opts.jobs = opt == 'j' ? (int)n : opts.jobs;
    }
    if (optind == argc)
        return cli_usage(e, "lab", "lint which lab?");
    for (int i = optind; i < argc; i++) {
        _auto_free_ char *dir = lab_dir(cli, argv[i], e);
        const int rc = !dir ? -1 : lab_lint(cli, dir, &opts, e);
        if (rc < 0)
            return -1;
        worst = rc > worst ? rc : worst;
    }
    return worst;
}

/* ---- import ---- */

static int write_lab(const struct lab *lab, const char *dir, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/lab.yaml", dir), *text = yaml_text(lab->tree);
    _auto_file_ FILE *f = fopen(path, "wxe");
    if (!f)
        return err_sys(e, errno, "%s", path);
    return fputs(text, f) < 0 || fflush(f) != 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* The folder's files are kept beside the lab.yaml, for scripts that look for them. */
static int lab_import(const struct cli *cli, int argc, char **argv, struct err *e)
{
    _auto_lab_ struct lab lab = {0};
    _auto_strlist_ struct strlist faults = {0};
    _auto_buf_ struct buf told = BUF_INIT;
    int code;
    if (argc != 3)
        return cli_usage(e, "lab", "import which folder, and to where?");
    _auto_free_ char *dir = lab_dir(cli, argv[1], e);
    if (!dir)
        return -1;
    const int rc = lab_load(dir, NULL, &lab, &faults, e);
    for (size_t i = 0; i < faults.len; i++)
        fprintf(stderr, "%s\n", faults.items[i]);
    if (rc < 0)
        return -1;
    if (mkdir(argv[2], 0777) < 0)
        return err_sys(e, errno, "%s", argv[2]);
    _auto_free_ char *from = xasprintf("%s/.", lab.dir);
    const char *const copy[] = {"cp", "-R", "--", from, argv[2], NULL};
    if (spawn_wait(copy, &told, &code, e) < 0)
        return -1;
    return code ? err_set(e, ERR_INTERNAL, "%s", buf_str(&told)) : write_lab(&lab, argv[2], e);
}

static int lab_schema(const struct cli *cli _unused_, int argc _unused_, char **argv _unused_, struct err *e _unused_)
{
    _auto_json_ json_t *schema = fields_schema(&lab_shape, "Stowage lab");
    _auto_free_ char *text = json_dumps(schema, JSON_INDENT(2));
    puts(text);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(const struct cli *cli, int argc, char **argv, struct err *e);
} words[] = {{"list", lab_list}, {"lint", lab_lint_run}, {"import", lab_import}, {"schema", lab_schema}};

static int lab_run_verb(const struct cli *cli, int argc, char **argv, struct err *e)
{
    if (argc > 1 && lab_session_has(argv[1]))
        return lab_session(cli, argc - 1, argv + 1, e);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(words); i++)
        if (str_eq(argv[1], words[i].name))
            return words[i].run(cli, argc - 1, argv + 1, e);
    return cli_usage(e, "lab", argc > 1 ? "there is no \"%s\"" : "list, start, check…%s", argc > 1 ? argv[1] : "");
}

const struct cli_verb verb_lab = {
    .name = "lab",
    .words =
        "list start open status text check hint answer solution next reset exam submit stop history lint import schema",
    .summary = "do a lab: start, check, hint…; list them; test one of your own",
    .help =
        "usage: stowage lab list\n"
        "       stowage lab start LAB [--seed TEXT], then: stowage lab check, hint, answer…\n"
        "       stowage lab lint [--play] [--near-misses N] [--jobs N] LAB...\n"
        "       stowage lab import FOLDER NEWFOLDER\n"
        "       stowage lab schema\n\n"
        "list: the labs in $STOWAGE_LABS, else those that came with the program. LAB is a name from there, or a "
        "folder.\n"
        "One lab is under way at a time; progress and score are kept in the data directory.\n\n" LAB_SESSION_HELP
        "\nlint: is the file right (line, column, what was expected)? With --play its checks are tested, too: a fresh\n"
        "cluster must score 0, the reference solution 100, and near-misses of it (another name, size, class, access\n"
        "mode, namespace, deleted and created again…) less than 100; those that do not are printed.\n"
        "import: a scenario of Killercoda or Katacoda, a test of kuttl or chainsaw as a lab of ours. Such folders are "
        "also\n"
        "labs as they are: start, run, lint them. What can not be done here is said before, with file and line.\n"
        "schema: the JSON Schema of lab.yaml, for editors.\n\n"
        "  --play             play it: some seconds, and a few for each near-miss\n"
        "  --near-misses N    only so many near-misses, spread over all\n"
        "  --jobs N           so many of them at a time (one a processor)\n",
    .run = lab_run_verb,
};
