/* verb_grade.c - `stowage grade LAB SUBMISSIONS`: a class is judged; `stowage grade history`: what was judged before.
 */
#include "api/quantity.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/grade_class.h"
#include "cli/grade_worker.h"
#include "cli/grade_write.h"
#include "cli/lab_place.h"
#include "cli/verbs_int.h"
#include "lab/fields.h"
#include "lab/gradebook.h"
#include "lab/lab.h"
#include "lab/results.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JOBS_PER_CPU  4
#define TIMEOUT_MS    120000
#define CPU_MS        20000
#define MEMORY_BYTES  (INT64_C(512) << 20)
#define DISK_BYTES    (INT64_C(64) << 20)
#define CLUSTER_BYTES (INT64_C(2) << 30)
#define CLUSTER_DISK  (INT64_C(8) << 30)
#define PIDS          128

struct grade_args {
    struct class_conf class;
    const struct results_form *form;
    const char *out, *book, *student;
    bool quiet, no_book;
};

/* ---- judging ---- */

static void show_progress(void *arg, const json_t *student, size_t done, size_t all)
{
    const struct grade_args *a = arg;
    _auto_buf_ struct buf name = BUF_INIT;
    results_plain(&name, jstr_or(student, "student", ""), 40);
    if (!a->quiet)
        fprintf(stderr, "%zu of %zu: %s %.1f (%s)\n", done, all, buf_str(&name),
                json_number_value(jat(student, "report.score")), jstr_or(student, "status", ""));
}

static int check_lab(const char *dir, struct lab *lab, struct err *e)
{
    _auto_strlist_ struct strlist faults = {0};
    const int rc = lab_load(dir, NULL, lab, &faults, e);
    for (size_t i = 0; i < faults.len; i++)
        fprintf(stderr, "%s\n", faults.items[i]);
    return rc;
}

static int open_gradebook(const struct grade_args *a, struct book **out, struct err *e)
{
    if (a->book)
        return book_open(a->book, out, e);
    _auto_free_ char *home = lab_home(NULL, e);
    _auto_free_ char *path = home ? xasprintf("%s/book.db", home) : NULL;
    return path ? book_open(path, out, e) : -1;
}

static int keep_in_book(const struct grade_args *a, const json_t *class, struct err *e)
{
    struct book *book = NULL;
    if (a->no_book)
        return 0;
    if (open_gradebook(a, &book, e) < 0)
        return -1;
    const int rc = gradebook_add(book, class, e);
    book_close(book);
    return rc;
}

static int any_error(const json_t *students)
{
    size_t i;
    const json_t *student;
    json_array_foreach(students, i, student)
    {
        if (str_eq(jstr(student, "status"), "error"))
            return 1;
    }
    return 0;
}

static int grade(const struct cli *cli, struct grade_args *a, struct err *e)
{
    _auto_lab_ struct lab lab = {0};
    _auto_free_ char *dir = lab_dir(cli, a->class.lab, e);
    const int64_t began = clock_mono_ms(clock_real());
    if (!dir || check_lab(dir, &lab, e) < 0)
        return -1;
    a->class.lab = lab.dir;
    a->class.told = show_progress;
    a->class.arg = a;
    json_t *students = grade_class(cli, &a->class, e);
    if (!students)
        return -1;
    _auto_json_ json_t *class =
        json_pack("{s:s, s:s, s:I, s:f, s:i, s:o}", "lab", lab.name, "title", jstr_or(lab.tree, "title", ""), "graded",
                  (json_int_t)time(NULL), "seconds", (double)(clock_mono_ms(clock_real()) - began) / 1000, "of",
                  lab_points(&lab), "students", students);
    if (keep_in_book(a, class, e) < 0 || (a->out && results_write(class, a->out, e) < 0) ||
        results_print(class, a->form, e) < 0)
        return -1;
    return any_error(students);
}

/* ---- history ---- */

static int history(const struct grade_args *a, const char *lab, struct err *e)
{
    struct book *book = NULL;
    size_t i;
    const json_t *row;
    if (open_gradebook(a, &book, e) < 0)
        return -1;
    _auto_json_ json_t *rows = gradebook_history(book, lab, a->student, e);
    book_close(book);
    if (!rows)
        return -1;
    if (str_eq(a->form->name, "json")) {
        _auto_free_ char *text = json_dumps(rows, JSON_INDENT(1));
        puts(text);
        return 0;
    }
    json_array_foreach(rows, i, row)
    {
        const time_t at = (time_t)jint(row, "at", 0);
        struct tm when;
        char stamp[32];
        _auto_buf_ struct buf name = BUF_INIT;
        results_plain(&name, jstr_or(row, "student", ""), 28);
        strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M", localtime_r(&at, &when));
        printf("%s  %-24s %-28s %6.1f  %lld/%lld  %s\n", stamp, jstr_or(row, "lab", ""), buf_str(&name),
               json_number_value(json_object_get(row, "score")), (long long)jint(row, "points", 0),
               (long long)jint(row, "of", 0), jstr_or(row, "status", ""));
    }
    return 0;
}

/* ---- the verb ---- */

enum {
    OPT_JOBS = 256,
    OPT_TIMEOUT,
    OPT_CPU,
    OPT_MEMORY,
    OPT_CLUSTER_MEMORY,
    OPT_CLUSTER_DISK,
    OPT_DISK,
    OPT_PIDS,
    OPT_OUT,
    OPT_FORMAT,
    OPT_ONE,
    OPT_SEED,
    OPT_SEED_FROM,
    OPT_BOOK,
    OPT_NO_BOOK,
    OPT_STUDENT,
    OPT_QUIET
};
static const struct option options[] = {
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"cpu", required_argument, NULL, OPT_CPU},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"cluster-memory", required_argument, NULL, OPT_CLUSTER_MEMORY},
    {"cluster-disk", required_argument, NULL, OPT_CLUSTER_DISK},
    {"disk", required_argument, NULL, OPT_DISK},
    {"pids", required_argument, NULL, OPT_PIDS},
    {"out", required_argument, NULL, OPT_OUT},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"one", no_argument, NULL, OPT_ONE},
    {"seed", required_argument, NULL, OPT_SEED},
    {"seed-from", required_argument, NULL, OPT_SEED_FROM},
    {"book", required_argument, NULL, OPT_BOOK},
    {"no-book", no_argument, NULL, OPT_NO_BOOK},
    {"student", required_argument, NULL, OPT_STUDENT},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {NULL, 0, NULL, 0},
};

static bool take_number(const char *text, int64_t least, int64_t most, int *out)
{
    int64_t n;
    if (!str_to_i64(text, &n) || n < least || n > most)
        return false;
    *out = (int)n;
    return true;
}

static bool take_size(const char *text, int64_t *out)
{
    const int64_t n = quantity_bytes(text, -1);
    if (n < 1 << 20)
        return false;
    *out = n;
    return true;
}

static bool take_text(const char **out, const char *text)
{
    *out = text;
    return true;
}

static bool take_flag(bool *out)
{
    return *out = true;
}

static bool take_option(struct grade_args *a, int opt)
{
    struct class_conf *c = &a->class;
    switch (opt) {
    case OPT_JOBS:
        return take_number(optarg, 1, 256, &c->jobs);
    case OPT_TIMEOUT:
        return duration_parse(optarg, &c->timeout_ms) && c->timeout_ms > 0;
    case OPT_CPU:
        return duration_parse(optarg, &c->cpu_ms) && c->cpu_ms > 0;
    case OPT_MEMORY:
        return take_size(optarg, &c->memory_bytes);
    case OPT_CLUSTER_MEMORY:
        return take_size(optarg, &c->cluster_bytes);
    case OPT_CLUSTER_DISK:
        return take_size(optarg, &c->cluster_disk_bytes);
    case OPT_DISK:
        return take_size(optarg, &c->disk_bytes);
    case OPT_PIDS:
        return take_number(optarg, 8, 30000, &c->pids);
    case OPT_OUT:
        return take_text(&a->out, optarg);
    case OPT_FORMAT:
        return (a->form = results_form(optarg)) != NULL;
    case OPT_ONE:
        return take_flag(&c->one);
    case OPT_SEED:
        return take_text(&c->seed, optarg);
    case OPT_SEED_FROM:
        return str_eq(optarg, "name") && take_flag(&c->seed_from_name);
    case OPT_BOOK:
        return take_text(&a->book, optarg);
    case OPT_NO_BOOK:
        return take_flag(&a->no_book);
    case OPT_STUDENT:
        return take_text(&a->student, optarg);
    case OPT_QUIET:
        return take_flag(&a->quiet);
    default:
        return false;
    }
}

static int run_grade(const struct cli *cli, int argc, char **argv, struct err *e)
{
    const int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct grade_args a = {.form = results_form("table"),
                           .class = {.jobs = cpus > 0 ? cpus * JOBS_PER_CPU : JOBS_PER_CPU,
                                     .timeout_ms = TIMEOUT_MS,
                                     .cpu_ms = CPU_MS,
                                     .memory_bytes = MEMORY_BYTES,
                                     .cluster_bytes = CLUSTER_BYTES,
                                     .cluster_disk_bytes = CLUSTER_DISK,
                                     .disk_bytes = DISK_BYTES,
                                     .pids = PIDS}};
    if (argc == 2 && str_eq(argv[1], "--worker")) /* ourselves: grade_class.c */
        return grade_worker(cli, e);
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!take_option(&a, opt))
            return cli_usage(e, "grade", "unknown flag, or a missing or wrong value");
    a.class.jobs = a.class.jobs > 256 ? 256 : a.class.jobs;
    if (optind < argc && str_eq(argv[optind], "history") && argc - optind <= 2)
        return history(&a, argc - optind == 2 ? argv[optind + 1] : NULL, e);
    if (optind + 2 != argc)
        return cli_usage(e, "grade", "a lab, and the folder of its submissions");
    a.class.lab = argv[optind];
    a.class.submissions = argv[optind + 1];
    return grade(cli, &a, e);
}

const struct cli_verb verb_grade = {
    .name = "grade",
    .words = "history",
    .summary = "judge a class: each submission in a cluster of its own",
    .help =
        "usage: stowage grade LAB SUBMISSIONS [flags]\n"
        "       stowage grade history [LAB] [--student NAME] [--format json]\n\n"
        "Each entry of the folder SUBMISSIONS is one student's: a folder or archive (tar, tar.gz, tar.zst, zip) of\n"
        "manifests and scripts, a script of kubectl commands, a recorded session, what `stowage lab submit` made, or "
        "a\n"
        "kubeconfig. Each is played in a fresh cluster and judged; scripts run in a jail. Exit code 0: all were "
        "judged,\n"
        "whatever their scores; 1: some could not be.\n\n"
        "  --format FORM        what is printed: table, csv, html, junit, json, nbgrader; gradescope, classroom (of "
        "one)\n"
        "  --out DIR            also writes all forms to this folder\n"
        "  --one                SUBMISSIONS is a single student's\n"
        "  --jobs N             judged at a time (4 for each processor)\n"
        "  --timeout TIME       for all that one submission does (2m), as if nobody else used the machine\n"
        "  --cpu TIME           of a processor, for its scripts (20s)\n"
        "  --memory SIZE        of its scripts (512Mi); --disk SIZE: their files (64Mi); --pids N: their processes "
        "(128)\n"
        "  --cluster-memory SIZE  of its cluster, all pods together (2Gi), where control groups are to be had\n"
        "  --cluster-disk SIZE  of all that they write to disks (8Gi); beyond it the submission is refused\n"
        "  --seed-from name     each student's variant is that of the entry's name; --seed TEXT: everybody's\n"
        "  --book FILE          the gradebook (labs/book.db in the data directory); --no-book: none\n"
        "  --student NAME       history: of this one\n"
        "  --quiet              no progress on standard error\n",
    .run = run_grade,
};
