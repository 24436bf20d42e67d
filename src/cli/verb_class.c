/* verb_class.c - `stowage class`: students at their labs on one machine, and a teacher who looks. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/class_book.h"
#include "cli/class_life.h"
#include "cli/class_status.h"
#include "cli/class_worker.h"
#include "cli/console_link.h"
#include "cli/grade_write.h"
#include "cli/lab_place.h"
#include "cli/verbs_int.h"
#include "lab/fields.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOBS_PER_CPU 2
#define JOBS_MAX     64
#define MINUTES_MAX  (7 * 24 * 60)
#define LINK_MS      (60 * 60 * 1000)
#define LINK_MAX_MS  (INT64_C(24) * 60 * 60 * 1000)
#define LOOK_SECONDS 300 /* a link for who asked for it just now */

struct class_args {
    const struct cli *cli;
    const char *dir, *students, *format, *out, *lab;
    int64_t minutes, link_ms;
    int jobs;
    bool exam, quiet;
    char **words; /* what is no flag */
    size_t words_len;
};

/* ---- who is meant ---- */

/* Those that were named, else all. */
static int pick(const struct classroom *c, const struct class_args *a, struct strlist *out, struct err *e)
{
    size_t i;
    const json_t *name;
    for (i = 0; i < a->words_len; i++) {
        if (!classroom_has(c, a->words[i]))
            return err_set(e, ERR_NOT_FOUND, "there is no student \"%s\" in this class", a->words[i]);
        strlist_add(out, a->words[i]);
    }
    if (a->words_len)
        return 0;
    json_array_foreach(json_object_get(c->file, "students"), i, name) strlist_add(out, json_string_value(name));
    return 0;
}

static void tell_worker(void *arg, const char *student, int code, const char *said)
{
    const struct class_args *a = arg;
    if (code != 0)
        fprintf(stderr, "%s: %s%s", student, str_starts(said, "stowage: ") ? said + strlen("stowage: ") : said,
                str_ends(said, "\n") ? "" : "\n");
    else if (!a->quiet)
        fprintf(stderr, "%s: done\n", student);
}

/* Exit code: 1 when some failed. */
static int work(const struct class_args *a, const struct classroom *c, const char *action,
                const struct strlist *students)
{
    const struct class_work w = {.cli = a->cli,
                                 .room = c,
                                 .action = action,
                                 .students = students,
                                 .jobs = a->jobs,
                                 .told = tell_worker,
                                 .arg = (void *)(uintptr_t)a};
    return class_work(&w) ? 1 : 0;
}

/* ---- handing out ---- */

/* A student whose cluster does not run has none to hand out: that is told, and is no failure. */
static void print_link(const struct class_args *a, const struct classroom *c, const char *student)
{
    struct err e = ERR_INIT;
    _auto_free_ char *dir = NULL, *url = NULL;
    if (classroom_cluster(c, student, &dir, &e) == 0) {
        _auto_free_ char *data = xasprintf("%s/data", dir);
        url = console_link(data, &(struct link_wish){"labs", false, a->link_ms / 1000}, &e);
    }
    if (!url) {
        printf("%s\n  (%s)\n", student, e.msg);
        return;
    }
    printf("%s\n  %s\n  export KUBECONFIG='%s/data/kubeconfig' STOWAGE_DATA='%s/students/%s'\n", student, url, dir,
           c->dir, student);
}

static int hand_out(const struct class_args *a, const struct classroom *c, const struct strlist *students)
{
    for (size_t i = 0; i < students->len; i++)
        print_link(a, c, students->items[i]);
    printf("Each link signs one browser in, within %lld minutes; `stowage class links` makes new ones.\n",
           (long long)(a->link_ms + 59999) / 60000);
    return 0;
}

static int print_teachers_link(const struct class_args *a, const struct classroom *c, struct err *e)
{
    _auto_free_ char *data = classroom_teacher(c);
    const struct link_wish wish = {.view = "class", .seconds = a->link_ms / 1000};
    _auto_free_ char *url = classroom_teacher_up(c, a->cli, e) < 0 ? NULL : console_link(data, &wish, e);
    if (!url)
        return -1;
    printf("%s\n", url);
    return 0;
}

/* ---- words ---- */

static int make_class(const struct class_args *a, struct classroom *out, struct err *e)
{
    _auto_strlist_ struct strlist students = {0};
    if (!a->students)
        return cli_usage(e, "class", "start: who? --students FILE, a name a line, or --students N");
    if (classroom_names(a->students, &students, e) < 0)
        return -1;
    const struct classroom_plan plan = {.cli = a->cli,
                                        .words = a->words,
                                        .words_len = a->words_len,
                                        .students = &students,
                                        .exam = a->exam,
                                        .minutes = a->minutes};
    return classroom_make(a->dir, &plan, out, e);
}

/* With labs: a new class. Without: the one that is there goes on. */
static int word_start(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    _auto_strlist_ struct strlist students = {0};
    if (a->words_len == 0 && (a->students || a->exam || a->minutes))
        return cli_usage(e, "class", "start which lab?");
    if ((a->words_len ? make_class(a, &c, e) : classroom_open(a->dir, &c, e)) < 0)
        return -1;
    a->words_len = 0;
    if (pick(&c, a, &students, e) < 0)
        return -1;
    const int code = work(a, &c, "start", &students);
    hand_out(a, &c, &students);
    printf("The class itself, for its teacher only:\n  ");
    return print_teachers_link(a, &c, e) < 0 ? -1 : code;
}

static int word_links(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    _auto_strlist_ struct strlist students = {0};
    if (classroom_open(a->dir, &c, e) < 0 || pick(&c, a, &students, e) < 0)
        return -1;
    return hand_out(a, &c, &students);
}

static int word_status(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    _auto_buf_ struct buf out = BUF_INIT;
    if (a->words_len)
        return cli_usage(e, "class", "status: what is %s?", a->words[0]);
    if (classroom_open(a->dir, &c, e) < 0)
        return -1;
    _auto_json_ json_t *status = class_status(&c, e);
    if (!status)
        return -1;
    if (!a->format || str_eq(a->format, "table")) {
        class_status_table(status, &out);
    } else if (str_eq(a->format, "csv")) {
        class_status_csv(status, &out);
    } else if (str_eq(a->format, "json")) {
        _auto_free_ char *text = json_dumps(status, JSON_INDENT(1));
        buf_addf(&out, "%s\n", text);
    } else {
        return cli_usage(e, "class", "-o %s: table, json or csv", a->format);
    }
    return fwrite(buf_str(&out), 1, out.len, stdout) == out.len ? 0 : err_sys(e, errno, "standard output");
}

static int word_open(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    if (a->words_len != 1)
        return cli_usage(e, "class", "open whose cluster?");
    if (classroom_open(a->dir, &c, e) < 0)
        return -1;
    _auto_free_ char *url = class_look_link(&c, a->words[0], LOOK_SECONDS, e);
    if (!url)
        return -1;
    printf("%s\n", url);
    return 0;
}

static int word_console(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    if (a->words_len)
        return cli_usage(e, "class", "console: what is %s?", a->words[0]);
    return classroom_open(a->dir, &c, e) < 0 ? -1 : print_teachers_link(a, &c, e);
}

static int word_next(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    _auto_strlist_ struct strlist students = {0};
    if (classroom_open(a->dir, &c, e) < 0 || pick(&c, a, &students, e) < 0)
        return -1;
    if (jbool(c.file, "exam", false))
        return err_set(e, ERR_FORBIDDEN, "this is an exam: its tasks are done in any order");
    const int code = work(a, &c, "next", &students);
    hand_out(a, &c, &students);
    return code;
}

static int word_stop(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    _auto_strlist_ struct strlist students = {0};
    if (classroom_open(a->dir, &c, e) < 0 || pick(&c, a, &students, e) < 0)
        return -1;
    const int code = work(a, &c, "stop", &students);
    return a->words_len == 0 && classroom_teacher_down(&c, a->cli, e) < 0 ? -1 : code;
}

/* ---- the gradebook ---- */

static int write_task(const struct class_args *a, const struct classroom *c, size_t task, bool print, struct err *e)
{
    _auto_json_ json_t *results = class_results(c, task, e);
    _auto_free_ char *name = class_task_name(c, task), *dir = a->out ? xasprintf("%s/%s", a->out, name) : NULL;
    const struct results_form *form = results_form(a->format ? a->format : "table");
    if (!form)
        return cli_usage(e, "class", "--format %s: table, csv, html, junit, json, nbgrader, gradescope, classroom",
                         a->format);
    if (!results || class_keep(c, results, e) < 0 || (dir && results_write(results, dir, e) < 0))
        return -1;
    return print ? results_print(results, form, e) : 0;
}

static int write_book(const struct class_args *a, const struct classroom *c, struct err *e)
{
    const size_t n = json_array_size(json_object_get(c->file, "tasks"));
    if (a->out && mkdir(a->out, 0755) < 0 && errno != EEXIST)
        return err_sys(e, errno, "%s", a->out);
    if (!a->lab && (a->out || !a->format)) { /* all of them; tables one below the other */
        for (size_t i = 0; i < n; i++)
            if (write_task(a, c, i, !a->format, e) < 0)
                return -1;
        return 0;
    }
    const int task = class_task(c, a->lab, e);
    return task < 0 ? -1 : write_task(a, c, (size_t)task, true, e);
}

static int word_export(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    if (a->words_len)
        return cli_usage(e, "class", "export: what is %s?", a->words[0]);
    return classroom_open(a->dir, &c, e) < 0 ? -1 : write_book(a, &c, e);
}

/* Those whose clusters run: nobody's is started for it. */
static int word_grade(struct class_args *a, struct err *e)
{
    _auto_classroom_ struct classroom c = {0};
    _auto_strlist_ struct strlist all = {0}, up = {0};
    if (classroom_open(a->dir, &c, e) < 0 || pick(&c, a, &all, e) < 0)
        return -1;
    for (size_t i = 0; i < all.len; i++) {
        _auto_life_ struct life_row row = {0};
        life_look(&c, all.items[i], &row);
        if (row.state == LIFE_UP)
            strlist_add(&up, all.items[i]);
    }
    const int code = work(a, &c, "judge", &up);
    return write_book(a, &c, e) < 0 ? -1 : code;
}

/* ---- the verb ---- */

enum {
    OPT_CLASS = 256,
    OPT_STUDENTS,
    OPT_EXAM,
    OPT_MINUTES,
    OPT_JOBS,
    OPT_FOR,
    OPT_FORMAT,
    OPT_OUT,
    OPT_LAB,
    OPT_QUIET
};
static const struct option options[] = {
    {"class", required_argument, NULL, OPT_CLASS},
    {"students", required_argument, NULL, OPT_STUDENTS},
    {"exam", no_argument, NULL, OPT_EXAM},
    {"minutes", required_argument, NULL, OPT_MINUTES},
    {"jobs", required_argument, NULL, OPT_JOBS},
    {"for", required_argument, NULL, OPT_FOR},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"out", required_argument, NULL, OPT_OUT},
    {"lab", required_argument, NULL, OPT_LAB},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct class_args *a, int opt)
{
    int64_t n = 0;
    switch (opt) {
    case OPT_CLASS:
        a->dir = optarg;
        return true;
    case OPT_STUDENTS:
        a->students = optarg;
        return true;
    case OPT_EXAM:
        return a->exam = true;
    case OPT_MINUTES:
        return str_to_i64(optarg, &a->minutes) && a->minutes >= 1 && a->minutes <= MINUTES_MAX;
    case OPT_JOBS:
        a->jobs = str_to_i64(optarg, &n) && n >= 1 && n <= JOBS_MAX ? (int)n : 0;
        return a->jobs > 0;
    case OPT_FOR:
        return duration_parse(optarg, &a->link_ms) && a->link_ms >= 1000 && a->link_ms <= LINK_MAX_MS;
    case 'o':
    case OPT_FORMAT:
        a->format = optarg;
        return true;
    case OPT_OUT:
        a->out = optarg;
        return true;
    case OPT_LAB:
        a->lab = optarg;
        return true;
    case OPT_QUIET:
        return a->quiet = true;
    default:
        return false;
    }
}

static const struct {
    const char *name;
    int (*run)(struct class_args *a, struct err *e);
} words[] = {{"start", word_start},   {"status", word_status},   {"links", word_links},
             {"open", word_open},     {"next", word_next},       {"grade", word_grade},
             {"export", word_export}, {"console", word_console}, {"stop", word_stop}};

static int class_run(const struct cli *cli, int argc, char **argv, struct err *e)
{
    const int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct class_args a = {.cli = cli, .link_ms = LINK_MS, .jobs = cpus > 0 ? cpus * JOBS_PER_CPU : JOBS_PER_CPU};
    if (argc > 1 && str_eq(argv[1], "worker")) /* ourselves: class_worker.c */
        return class_worker(cli, argc - 1, argv + 1, e);
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "o:", options, NULL)) != -1;)
        if (!take_option(&a, opt))
            return cli_usage(e, "class", "unknown flag, or a missing or wrong value");
    const char *word = optind < argc ? argv[optind] : "";
    _auto_free_ char *dir = classroom_dir(a.dir);
    a.dir = dir;
    a.jobs = a.jobs > JOBS_MAX ? JOBS_MAX : a.jobs;
    a.words = argv + optind + 1;
    a.words_len = optind < argc ? (size_t)(argc - optind - 1) : 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(word, words[i].name))
            return words[i].run(&a, e);
    return cli_usage(e, "class", *word ? "there is no \"%s\"" : "start, status, links, open, grade, stop…%s", word);
}

const struct cli_verb verb_class = {
    .name = "class",
    .words = "start status links open console next grade export stop",
    .summary = "a class at its labs on this machine: a cluster for each student",
    .help =
        "usage: stowage class start LAB... --students FILE|N [--exam [--minutes N]]\n"
        "       stowage class start | status [-o table|json|csv] | links [STUDENT...] | open STUDENT | console\n"
        "       stowage class next [STUDENT...] | grade | export [--lab LAB] [--format FORM] [--out DIR] | stop\n\n"
        "start LAB...: a cluster for each student, beside each other, in which the first LAB begins, in the student's\n"
        "own variant; prints what to hand out: a link to the cluster's console, and a kubeconfig. With --exam the "
        "labs\n"
        "(or LAB:STEP) are tasks against the clock.\n"
        "start alone: goes on after a stop, a crash or a reboot; nothing of the progress is lost.\n"
        "status: who is where, with how many points, stuck on which check, since when.\n"
        "links: new links to hand out. open: a link to look into a student's cluster without changing anything.\n"
        "console: a link to the class in a browser, for its teacher.\n"
        "next: the lab ends, and the class's next one begins.\n"
        "export: the gradebook by what was checked so far. grade: the same, after everybody's step was looked at as "
        "it\nstands.\n"
        "stop: all clusters end; the work is kept.\n\n"
        "  --class DIR      the class's folder (class in the data directory)\n"
        "  --students WHO   a file with a name a line (of a CSV the first column), or how many\n"
        "  --exam           tasks against the clock, no hints; --minutes N: so long (as the labs say)\n"
        "  --jobs N         so many students at a time (2 for each processor)\n"
        "  --for TIME       so long a link is good, at most 24h (1h)\n"
        "  --format FORM    table, csv, html, junit, json, nbgrader; gradescope, classroom (of one)\n"
        "  --out DIR        all forms, a folder for each lab\n"
        "  --lab LAB        of this lab only\n"
        "  --quiet          no progress on standard error\n",
    .run = class_run,
};
