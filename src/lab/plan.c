/* plan.c - see plan.h.
 *
 * How to add a form of submission: a row in forms[], by the end of a file's name or by what it says of itself. */
#include "lab/plan.h"

#include "api/base64.h"
#include "api/decode.h"
#include "base/json.h"
#include "base/mem.h"
#include "lab/bundle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct planning {
    const struct lab *lab;
    const struct handin *handin;
    struct plan *plan;
};

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->len; i++) {
        free(p->items[i].script);
        json_decref(p->items[i].objects);
    }
    free(p->items);
    json_decref(p->answers);
    json_decref(p->bundle);
    strlist_release(&p->remarks);
    *p = (struct plan){0};
}

bool plan_has_scripts(const struct plan *p)
{
    for (size_t i = 0; i < p->len; i++)
        if (p->items[i].script)
            return true;
    return false;
}

static struct piece *add_piece(struct plan *p, size_t step, const char *file)
{
    if (p->len == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->items = xrealloc(p->items, p->cap * sizeof *p->items);
    }
    p->items[p->len] = (struct piece){.step = step, .file = file};
    return &p->items[p->len++];
}

/* ---- which step ---- */

static const json_t *steps_of(const struct lab *lab)
{
    return json_object_get(lab->tree, "steps");
}

/* The step whose name a word is, or begins with; -1. */
static int step_of_word(const struct lab *lab, const char *word, size_t len)
{
    size_t i, best = 0;
    int found = -1;
    const json_t *step;
    json_array_foreach(steps_of(lab), i, step)
    {
        const char *name = jstr_or(step, "name", "");
        const size_t n = strlen(name);
        if (n > best && n <= len && strncasecmp(name, word, n) == 0 && (n == len || !isalnum((unsigned char)word[n]))) {
            best = n;
            found = (int)i;
        }
    }
    return found;
}

static int step_of_path(const struct lab *lab, const char *path)
{
    int found = -1;
    for (const char *at = path; found < 0 && *at; at += strcspn(at, "/"), at += *at == '/')
        found = step_of_word(lab, at, strcspn(at, "/"));
    return found;
}

/* ---- answers ---- */

/* The question of that name; without one the first that has no answer, else the first. NULL: it asks nothing so. */
static const char *question(const struct planning *p, const json_t *step, const char *check)
{
    size_t i;
    const json_t *c;
    const char *found = NULL;
    bool answered = true;
    json_array_foreach(json_object_get(step, "checks"), i, c)
    {
        const char *name = jstr_or(c, "name", "");
        if (!json_object_get(c, "quiz") || (check && !str_eq(check, name)))
            continue;
        const bool has = json_object_get(p->plan->answers, name) != NULL;
        if (!found || (answered && !has)) {
            found = name;
            answered = has;
        }
    }
    return found;
}

static bool take_answer(struct planning *p, const json_t *step, const char *check, const json_t *with)
{
    const char *name = question(p, step, check);
    if (!name)
        return false;
    _auto_free_ char *text = json_is_string(with) ? xstrdup(json_string_value(with)) : json_text(with);
    json_object_set_new(p->plan->answers, name, json_string(text));
    return true;
}

/* By the name of a question or of a step. */
static void answer_by_name(struct planning *p, const char *file, const char *name, const json_t *with)
{
    size_t i;
    const json_t *step;
    bool taken = false;
    json_array_foreach(steps_of(p->lab), i, step)
    {
        const bool of_step = strcasecmp(jstr_or(step, "name", ""), name) == 0;
        taken = take_answer(p, step, of_step ? NULL : name, with) || taken;
    }
    if (!taken)
        strlist_addf(&p->plan->remarks, "%s: no question or step is called \"%.80s\"", file, name);
}

static void take_answers(struct planning *p, const struct handin_file *f)
{
    _auto_json_ json_t *docs = NULL;
    struct err e = ERR_INIT;
    const char *name;
    json_t *with;
    if (yaml_parse_all(buf_str(&f->data), f->data.len, &docs, &e) < 0 || !json_is_object(json_array_get(docs, 0))) {
        strlist_addf(&p->plan->remarks, "%s: %s", f->path, e.code ? e.msg : "not a list of names and answers");
        return;
    }
    json_object_foreach(json_array_get(docs, 0), name, with) answer_by_name(p, f->path, name, with);
}

/* ---- manifests ---- */

static const char *const order[] = {"Namespace",
                                    "CustomResourceDefinition",
                                    "PriorityClass",
                                    "ResourceQuota",
                                    "LimitRange",
                                    "ServiceAccount",
                                    "CSIDriver",
                                    "StorageClass",
                                    "VolumeSnapshotClass",
                                    "PersistentVolume",
                                    "PersistentVolumeClaim",
                                    "VolumeSnapshot",
                                    "ConfigMap",
                                    "Secret",
                                    "Service",
                                    "",
                                    "DaemonSet",
                                    "Deployment",
                                    "ReplicaSet",
                                    "StatefulSet",
                                    "Job",
                                    "CronJob",
                                    "Pod"};

static size_t rank(const json_t *object)
{
    size_t i = 0, other = 0;
    while (i < ARRAY_LEN(order) && !str_eq(order[i], jstr_or(object, "kind", "?"))) {
        other = *order[i] ? other : i;
        i++;
    }
    return i < ARRAY_LEN(order) ? i : other;
}

/* In its place among what is there: behind those of its rank. */
static void place(json_t *objects, json_t *object)
{
    size_t at = json_array_size(objects);
    while (at > 0 && rank(json_array_get(objects, at - 1)) > rank(object))
        at--;
    json_array_insert(objects, at, object);
}

static void take_objects(struct planning *p, struct piece *to, const char *file, json_t *list)
{
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        if (str_ends(jstr_or(x, "kind", ""), "List") && json_is_array(json_object_get(x, "items")))
            take_objects(p, to, file, json_object_get(x, "items"));
        else if (json_is_object(x) && jstr(x, "kind") && jstr(x, "apiVersion"))
            place(to->objects, x);
        else if (!json_is_null(x))
            strlist_addf(&p->plan->remarks, "%s: document %zu is no object of Kubernetes", file, i + 1);
    }
}

/* What follows a manifest of the same step is sent with it. */
static struct piece *piece_for(struct plan *p, size_t step, const char *file)
{
    struct piece *last = p->len ? &p->items[p->len - 1] : NULL;
    if (!last || last->step != step || !last->objects) {
        last = add_piece(p, step, file);
        last->objects = json_array();
    }
    return last;
}

static void take_manifest(struct planning *p, const struct handin_file *f)
{
    _auto_json_ json_t *docs = NULL;
    struct err e = ERR_INIT;
    const int step = step_of_path(p->lab, f->path);
    if (yaml_parse_all(buf_str(&f->data), f->data.len, &docs, &e) < 0) {
        strlist_addf(&p->plan->remarks, "%s: %s", f->path, e.msg);
        return;
    }
    const json_t *first = json_array_get(docs, 0);
    if (str_eq(jstr(first, "kind"), "Config") && json_object_get(first, "clusters")) {
        p->plan->kubeconfig = f->path;
        return;
    }
    take_objects(p, piece_for(p->plan, step < 0 ? 0 : (size_t)step, f->path), f->path, docs);
}

/* ---- scripts ---- */

/* "# step: q4": the rest behind "# <word>", or NULL. */
static const char *marker(const char *line, const char *word)
{
    line += strspn(line, " \t");
    if (*line != '#')
        return NULL;
    line += 1 + strspn(line + 1, " \t#");
    const size_t n = strlen(word);
    return strncasecmp(line, word, n) == 0 && strchr(": \t", line[n]) ? line + n : NULL;
}

static void script_answer(struct planning *p, size_t step, const char *file, const char *rest, size_t len)
{
    const char *colon = memchr(rest, ':', len);
    if (!colon)
        return;
    size_t from = strspn(rest, " \t"), name_len = (size_t)(colon - rest), text = name_len + 1, end = len;
    while (name_len > from && isspace((unsigned char)rest[name_len - 1]))
        name_len--;
    while (text < end && isspace((unsigned char)rest[text]))
        text++;
    while (end > text && isspace((unsigned char)rest[end - 1]))
        end--;
    _auto_free_ char *name = name_len > from ? xstrndup(rest + from, name_len - from) : NULL;
    _auto_json_ json_t *with = json_stringn(rest + text, end - text);
    if (with && name)
        answer_by_name(p, file, name, with);
    else if (!with || !take_answer(p, json_array_get(steps_of(p->lab), step), NULL, with))
        strlist_addf(&p->plan->remarks, "%s: an answer to what step %zu does not ask", file, step + 1);
}

static void end_part(struct planning *p, size_t step, const char *file, struct buf *part)
{
    if (part->len && strspn(buf_str(part), " \t\r\n") < part->len)
        add_piece(p->plan, step, file)->script = xstrdup(buf_str(part));
    buf_clear(part);
}

static void take_script(struct planning *p, const struct handin_file *f)
{
    const int named = step_of_path(p->lab, f->path);
    size_t step = named < 0 ? 0 : (size_t)named;
    _auto_buf_ struct buf part = BUF_INIT;
    if (memchr(buf_str(&f->data), '\0', f->data.len)) {
        strlist_addf(&p->plan->remarks, "%s: a script has no NUL bytes", f->path);
        return;
    }
    for (const char *at = buf_str(&f->data); *at;) {
        const size_t n = strcspn(at, "\n"), whole = n + (at[n] == '\n');
        const char *name = marker(at, "step"), *answer = marker(at, "answer");
        if (name) {
            name += strspn(name, ": \t");
            const int next = step_of_word(p->lab, name, strcspn(name, " \t\r\n"));
            if (next >= 0)
                end_part(p, step, f->path, &part);
            else
                strlist_addf(&p->plan->remarks, "%s: there is no step \"%.*s\"", f->path, (int)strcspn(name, " \t\r\n"),
                             name);
            step = next < 0 ? step : (size_t)next;
        } else {
            if (answer)
                script_answer(p, step, f->path, answer, (size_t)(at + n - answer));
            buf_add(&part, at, whole);
        }
        at += whole;
    }
    end_part(p, step, f->path, &part);
}

/* ---- logs ---- */

/* What a session was told about the lab itself is not played. */
static bool about_lab(const char *line)
{
    static const char *const words[] = {"stowage", "lab",  "check",    "hint",  "next",
                                        "exit",    "quit", "solution", "status"};
    const size_t n = strcspn(line, " \t\n");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i]) == n && strncmp(line, words[i], n) == 0)
            return true;
    return false;
}

/* "lab answer [--to NAME] TEXT": the text, and the name in *out_name (new). NULL: it is none. */
static const char *answer_in(const char *line, char **out_name)
{
    static const char *const words[] = {"stowage lab answer ", "lab answer ", "answer "};
    const char *text = NULL;
    for (size_t i = 0; i < ARRAY_LEN(words) && !text; i++)
        text = str_starts(line, words[i]) ? line + strlen(words[i]) : NULL;
    if (text && str_starts(text, "--to ")) {
        text += strlen("--to ");
        const char quote = *text == '"' || *text == '\'' ? *text : ' ';
        text += quote != ' ';
        const char *end = strchr(text, quote);
        if (!end)
            return NULL;
        *out_name = xstrndup(text, (size_t)(end - text));
        text = end + 1;
    }
    return text ? text + strspn(text, " ") : NULL;
}

/* A word for the shell. Appended. */
/* Those that a command read, as they were then (cli/session_files.h). */
static void add_files(struct buf *part, const json_t *files)
{
    const char *path;
    json_t *content;
    json_object_foreach((json_t *)(uintptr_t)files, path, content)
    {
        _auto_buf_ struct buf coded = BUF_INIT;
        const char *text = json_string_value(content), *slash = strrchr(path, '/');
        if (slash && slash != path) {
            _auto_free_ char *folder = xstrndup(path, (size_t)(slash - path));
            buf_adds(part, "mkdir -p ");
            buf_add_shell_word(part, folder);
            buf_addc(part, '\n');
        }
        if (text)
            base64_encode(text, json_string_length(content), &coded);
        buf_adds(part, "base64 -d >");
        buf_add_shell_word(part, path);
        buf_addf(part, " <<'END-OF-FILE'\n%s\nEND-OF-FILE\n", text ? buf_str(&coded) : jstr_or(content, "base64", ""));
    }
}

/* A line of the prompt's own record is the prompt's again, in a process of its own; any other is bash's. */
static void add_line(struct buf *part, const json_t *row, const char *line)
{
    if (!json_object_get(row, "exit")) {
        buf_addf(part, "%s%s\n", jbool(row, "kubectl", false) ? "kubectl " : "", line);
        return;
    }
    add_files(part, json_object_get(row, "files"));
    buf_adds(part, "stowage repl --kubeconfig \"$KUBECONFIG\" -n ");
    buf_add_shell_word(part, jstr_or(row, "namespace", "default"));
    buf_adds(part, " -c ");
    buf_add_shell_word(part, line);
    buf_addc(part, '\n');
}

static void take_log_row(struct planning *p, const char *file, const json_t *row, size_t *step, struct buf *part)
{
    const char *name = jstr(row, "step"), *line = jstr(row, "line");
    const int64_t last = (int64_t)json_array_size(steps_of(p->lab)) - 1;
    int64_t now = name ? step_of_word(p->lab, name, strlen(name)) : jint(row, "step", -1);
    now = now > last ? last : now; /* typed when all was done */
    if (now >= 0 && (size_t)now != *step) {
        end_part(p, *step, file, part);
        *step = (size_t)now;
    }
    const json_t *answer = json_object_get(row, "answer");
    if (json_is_object(answer))
        take_answer(p, json_array_get(steps_of(p->lab), *step), jstr(answer, "check"), json_object_get(answer, "text"));
    _auto_free_ char *check = NULL;
    const char *text = line ? answer_in(line + strspn(line, " \t"), &check) : NULL;
    _auto_json_ json_t *with = text ? json_string(text) : NULL;
    if (with && !p->plan->bundle) /* which has them as they were at the end */
        take_answer(p, json_array_get(steps_of(p->lab), *step), check, with);
    else if (line && !with && !about_lab(line + strspn(line, " \t")))
        add_line(part, row, line);
}

static void take_log(struct planning *p, const struct handin_file *f)
{
    _auto_buf_ struct buf part = BUF_INIT;
    const int named = step_of_path(p->lab, f->path);
    size_t step = named < 0 ? 0 : (size_t)named, number = 0;
    for (const char *at = buf_str(&f->data); *at;) {
        const size_t n = strcspn(at, "\n");
        _auto_json_ json_t *row = n ? json_loadb(at, n, 0, NULL) : NULL;
        number++;
        if (json_is_object(row))
            take_log_row(p, f->path, row, &step, &part);
        else if (n)
            strlist_addf(&p->plan->remarks, "%s: line %zu is no JSON object", f->path, number);
        at += n + (at[n] == '\n');
    }
    end_part(p, step, f->path, &part);
}

/* ---- bundles ---- */

static int take_bundle(struct planning *p, const struct handin_file *f, struct err *e)
{
    _auto_buf_ struct buf part = BUF_INIT;
    size_t i, step = 0;
    const char *name;
    const json_t *row;
    json_t *with;
    if (bundle_open(buf_str(&f->data), f->data.len, &p->plan->bundle, e) < 0)
        return err_wrap(e, "%s", f->path);
    if (!str_eq(jstr(p->plan->bundle, "lab"), p->lab->name))
        return err_set(e, ERR_BAD_REQUEST, "%s: it is of the lab %.80s", f->path, jstr_or(p->plan->bundle, "lab", "?"));
    json_object_foreach(json_object_get(p->plan->bundle, "answers"), name, with) answer_by_name(p, f->path, name, with);
    json_array_foreach(json_object_get(p->plan->bundle, "log"), i, row) take_log_row(p, f->path, row, &step, &part);
    end_part(p, step, f->path, &part);
    /* Nothing was recorded: what was there at the end. Else only what no line has made: another kubectl did. */
    const bool recorded = plan_has_scripts(p->plan);
    struct piece *rest = piece_for(p->plan, recorded ? step : 0, f->path);
    rest->missing_only = recorded;
    take_objects(p, rest, f->path, json_object_get(p->plan->bundle, "objects"));
    return 0;
}

/* ---- all files ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_script(const struct handin_file *f)
{
    return str_ends(f->path, ".sh") || str_ends(f->path, ".bash") || str_starts(buf_str(&f->data), "#!");
}

static bool is_manifest(const struct handin_file *f)
{
    static const char *const ends[] = {".yaml", ".yml", ".json", ".conf", "config"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_ends(f->path, ends[i]))
            return true;
    return false;
}

static bool is_answers(const struct handin_file *f)
{
    static const char *const names[] = {"answers.yaml", "answers.yml", "answers.json", "answers.txt", "answers"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(base_name(f->path), names[i]))
            return true;
    return false;
}

static bool is_log(const struct handin_file *f)
{
    return str_ends(f->path, ".jsonl");
}

static const struct {
    bool (*is)(const struct handin_file *f);
    void (*take)(struct planning *p, const struct handin_file *f);
} forms[] = {{is_answers, take_answers}, {is_log, take_log}, {is_script, take_script}, {is_manifest, take_manifest}};

static bool named_by_script(const struct planning *p, const struct handin_file *f)
{
    for (size_t i = 0; i < p->handin->len; i++)
        if (is_script(&p->handin->files[i]) && strstr(buf_str(&p->handin->files[i].data), base_name(f->path)))
            return true;
    return false;
}

static int take_file(struct planning *p, const struct handin_file *f, struct err *e)
{
    if (bundle_is(buf_str(&f->data), f->data.len))
        return take_bundle(p, f, e);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (forms[i].is(f)) {
            if (forms[i].take != take_manifest || !named_by_script(p, f))
                forms[i].take(p, f);
            return 0;
        }
    strlist_addf(&p->plan->remarks, "%s: neither manifest nor script nor log, so it was not played", f->path);
    return 0;
}

static int by_step(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return x->file == y->file ? 0 : strverscmp(x->file, y->file);
}

/* qsort() is not stable, and parts of one script for one step have an order. */
static void sort_pieces(struct plan *p)
{
    for (size_t i = 1; i < p->len; i++) {
        const struct piece x = p->items[i];
        size_t at = i;
        for (; at > 0 && by_step(&p->items[at - 1], &x) > 0; at--)
            p->items[at] = p->items[at - 1];
        p->items[at] = x;
    }
}

int plan_of(const struct lab *lab, const struct handin *h, struct plan *out, struct err *e)
{
    _auto_plan_ struct plan plan = {.answers = json_object()};
    struct planning p = {lab, h, &plan};
    for (size_t i = 0; i < h->left_out.len; i++)
        strlist_add(&plan.remarks, h->left_out.items[i]);
    for (size_t i = 0; i < h->len; i++)
        if (take_file(&p, &h->files[i], e) < 0)
            return -1;
    sort_pieces(&plan);
    if (!h->len)
        return err_set(e, ERR_BAD_REQUEST, "there is nothing in it%s%s", h->left_out.len ? ": " : "",
                       h->left_out.len ? h->left_out.items[0] : "");
    *out = plan;
    plan = (struct plan){0};
    return 0;
}
