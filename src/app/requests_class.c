/* requests_class.c - what a teacher's console asks about the class: what `stowage class status`, `open` and `export`
 * say.
 *
 * Only the cluster that was started for it (`stowage up --class`) answers; paths of the console that are not for
 * everybody are its administrator's. What starts or ends clusters is the command line's: this process has given up what
 * it would take. THREADS: see requests.c. */
#include "app/requests_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "cli/class_book.h"
#include "cli/class_status.h"
#include "cli/classroom.h"
#include "cli/console_link.h"
#include "lab/results.h"

#define LINK_SECONDS 300

static int open_class(struct cluster *c, struct classroom *out, struct err *e)
{
    const char *dir = cluster_class(c);
    return dir ? classroom_open(dir, out, e) : err_set(e, ERR_NOT_FOUND, "this cluster shows no class");
}

static int op_status(struct cluster *c, const json_t *request _unused_, json_t **out, int fds[4] _unused_,
                     struct err *e)
{
    _auto_classroom_ struct classroom room = {0};
    if (open_class(c, &room, e) < 0)
        return -1;
    *out = class_status(&room, e);
    return *out ? 0 : -1;
}

/* {"student"}: {"url"}, good once, to look. */
static int op_open(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    _auto_classroom_ struct classroom room = {0};
    if (open_class(c, &room, e) < 0)
        return -1;
    _auto_free_ char *url = class_look_link(&room, jstr_or(request, "student", ""), LINK_SECONDS, e);
    if (!url)
        return -1;
    *out = json_pack("{s:s}", "url", url);
    return 0;
}

/* {"lab", "format"}: {"name", "text"}. */
static int op_export(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    _auto_classroom_ struct classroom room = {0};
    _auto_buf_ struct buf text = BUF_INIT;
    const struct results_form *form = results_form(jstr_or(request, "format", "csv"));
    if (open_class(c, &room, e) < 0)
        return -1;
    if (!form || form->each)
        return err_set(e, ERR_BAD_REQUEST, "a form that is about a class: csv, html, json, junit, nbgrader, table");
    const int task = class_task(&room, jstr(request, "lab"), e);
    _auto_json_ json_t *results = task < 0 ? NULL : class_results(&room, (size_t)task, e);
    if (!results)
        return -1;
    form->make(results, &text);
    _auto_free_ char *lab = class_task_name(&room, (size_t)task);
    *out = json_pack("{s:o, s:s%}", "name", json_sprintf("%s-%s", lab, form->file), "text", buf_str(&text), text.len);
    return *out ? 0 : err_set(e, ERR_INTERNAL, "the results are no UTF-8");
}

const struct request_op class_request_ops[] = {
    {"class-status", op_status}, {"class-open", op_open}, {"class-export", op_export}, {NULL, NULL}};
