/* requests_lab.c - what the web console asks about labs: each is a command line of `stowage lab` (labs.h).
 *
 * How to add one: a row in rows[]. */
#include "app/labs.h"
#include "app/requests_int.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>

#define WORDS_MAX 28

struct argument {
    const char *member; /* of the request: a text, a number, or an array of texts */
    const char *flag;   /* before it; NULL: it stands alone */
};
struct row {
    const char *op;
    const char *words[6]; /* of the command */
    struct argument arguments[3];
    bool alone; /* it changes something */
};

#define LINES "-o", "jsonl"
static const struct row rows[] = {
    {"lab-list", {"lab", "list", "-o", "json"}},
    {"lab-status", {"lab", "status", LINES}},
    {"lab-history", {"lab", "history", LINES}},
    {"lab-solution", {"lab", "solution", LINES}},
    {"lab-start", {"lab", "start", LINES}, {{"seed", "--seed"}, {"lab", "--"}}, true},
    {"lab-open", {"lab", "open", LINES}, {{0}}, true},
    {"lab-check", {"lab", "check", LINES}, {{0}}, true},
    {"lab-hint", {"lab", "hint", LINES}, {{0}}, true},
    {"lab-answer", {"lab", "answer", LINES}, {{"check", "--to"}, {"text", NULL}}, true},
    {"lab-next", {"lab", "next", LINES}, {{0}}, true},
    {"lab-reset", {"lab", "reset", LINES}, {{0}}, true},
    {"lab-stop", {"lab", "stop", LINES}, {{0}}, true},
    {"lab-submit", {"lab", "submit", "-o", "-"}, {{0}}, true},
    {"lab-exam", {"lab", "exam", LINES}, {{"minutes", "--minutes"}, {"labs", "--"}}, true},
    {"lab-exam-task", {"lab", "exam", "task", LINES}, {{"number", NULL}}, true},
    {"lab-exam-end", {"lab", "exam", "end", LINES}, {{0}}, true},
};

/* ---- a command ---- */

struct command {
    const char *words[WORDS_MAX + 1]; /* borrowed */
    size_t len;
    char number[24];
};

static int add_word(struct command *c, const char *word, struct err *e)
{
    if (c->len == WORDS_MAX)
        return err_set(e, ERR_BAD_REQUEST, "too many words");
    c->words[c->len++] = word;
    return 0;
}

static int add_value(struct command *c, const json_t *value, struct err *e)
{
    size_t i;
    const json_t *one;
    if (json_is_string(value))
        return add_word(c, json_string_value(value), e);
    if (json_is_integer(value)) {
        snprintf(c->number, sizeof c->number, "%lld", (long long)json_integer_value(value));
        return add_word(c, c->number, e);
    }
    json_array_foreach(value, i, one)
    {
        if (!json_is_string(one) || add_word(c, json_string_value(one), e) < 0)
            return e->code ? -1 : err_set(e, ERR_BAD_REQUEST, "a list of texts is expected");
    }
    return 0;
}

static int command_of(const struct row *row, const json_t *request, struct command *c, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(row->words) && row->words[i]; i++)
        if (add_word(c, row->words[i], e) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_LEN(row->arguments) && row->arguments[i].member; i++) {
        const struct argument *a = &row->arguments[i];
        const json_t *value = json_object_get(request, a->member);
        if (value && ((a->flag && add_word(c, a->flag, e) < 0) || add_value(c, value, e) < 0))
            return -1;
    }
    return 0;
}

static int begin(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    const char *op = jstr_or(request, "op", "");
    size_t i = 0;
    struct command command = {.len = 0};
    while (i < ARRAY_LEN(rows) && !str_eq(rows[i].op, op))
        i++;
    if (i == ARRAY_LEN(rows))
        return err_set(e, ERR_INTERNAL, "%s has no command", op);
    if (command_of(&rows[i], request, &command, e) < 0)
        return -1;
    return labs_begin(cluster_labs(c), op + sizeof "lab-" - 1, command.words, rows[i].alone, out, e);
}

/* The console of the cluster that the labs belong to: where a page may go on when the lab's own cluster ends. */
static int op_home(struct cluster *c, const json_t *request _unused_, json_t **out, int fds[4] _unused_, struct err *e)
{
    const char *const argv[] = {"console", "--no-open", "--view", "labs", "--data", labs_owner(cluster_labs(c)), NULL};
    return labs_begin(cluster_labs(c), "home", argv, false, out, e);
}

static int op_job(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    return labs_look(cluster_labs(c), jint(request, "job", 0), jint(request, "from", 0), out, e);
}

static int op_cancel(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    if (labs_cancel(cluster_labs(c), jint(request, "job", 0), e) < 0)
        return -1;
    *out = json_object();
    return 0;
}

static int op_mark(struct cluster *c, const json_t *request _unused_, json_t **out, int fds[4] _unused_,
                   struct err *e _unused_)
{
    *out = labs_mark(cluster_labs(c));
    return 0;
}

const struct request_op lab_request_ops[] = {
    {"lab-list", begin},   {"lab-status", begin}, {"lab-history", begin},    {"lab-solution", begin},
    {"lab-start", begin},  {"lab-open", begin},   {"lab-check", begin},      {"lab-hint", begin},
    {"lab-answer", begin}, {"lab-next", begin},   {"lab-reset", begin},      {"lab-stop", begin},
    {"lab-submit", begin}, {"lab-exam", begin},   {"lab-exam-task", begin},  {"lab-exam-end", begin},
    {"lab-home", op_home}, {"lab-job", op_job},   {"lab-cancel", op_cancel}, {"lab-mark", op_mark},
    {NULL, NULL},
};
