/* gotext.c - layout of go-cmp's reports: what fits stays on a line, the rest is one entry a line with aligned keys.
 *
 * DESIGN: a text is a line, a list of records, or something wrapped in braces. First everything that may be one line is
 * made one (text_compact), then the tree is written (text_expand). Lists with a removed or added record never become a
 * line; a removed or added text becomes one only up to 80 columns. go-cmp sometimes writes no-break spaces instead of
 * blanks, so that nobody relies on its text; we always write blanks.
 * THREADS: pure functions. Source of the format: google/go-cmp, cmp/report_text.go. */
#include "api/validate/godiff_int.h"

enum { MAX_COLUMNS = 80 };

#define ELLIPSIS "..."

/* -- building -- */

static struct text *text_new(enum text_kind kind)
{
    struct text *t = xcalloc(1, sizeof *t);
    t->kind = kind;
    return t;
}

struct text *text_line(char *take)
{
    struct text *t = text_new(TEXT_LINE);
    t->line = take;
    return t;
}

struct text *text_wrap(char *take_prefix, struct text *take_inner, const char *suffix)
{
    struct text *t = text_new(TEXT_WRAP);
    t->prefix = take_prefix;
    t->inner = take_inner;
    t->suffix = suffix;
    return t;
}

struct text *text_list(void)
{
    return text_new(TEXT_LIST);
}

void text_free(struct text *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->len; i++) {
        free(t->records[i].key);
        text_free(t->records[i].value);
    }
    text_free(t->inner);
    free(t->records);
    free(t->line);
    free(t->prefix);
    free(t);
}

static struct text_record *record_new(struct text *list)
{
    if (list->len == list->cap) {
        list->cap = list->cap != 0 ? list->cap * 2 : 8;
        list->records = xrealloc(list->records, list->cap * sizeof *list->records);
    }
    struct text_record *r = &list->records[list->len++];
    *r = (struct text_record){0};
    return r;
}

void text_list_add(struct text *list, char mark, char *take_key, struct text *take_value)
{
    struct text_record *r = record_new(list);
    r->mark = mark;
    r->key = take_key;
    r->value = take_value;
}

void text_list_ellipsis(struct text *list, const struct diff_stats *stats)
{
    struct text_record *last = list->len > 0 ? &list->records[list->len - 1] : NULL;
    if (last == NULL || !last->is_ellipsis) {
        last = record_new(list);
        last->value = text_line(xstrdup(ELLIPSIS));
        last->is_ellipsis = true;
    }
    if (stats == NULL)
        return;
    last->has_comment = true;
    last->comment.name = stats->name;
    last->comment.identical += stats->identical;
    last->comment.removed += stats->removed;
    last->comment.inserted += stats->inserted;
    last->comment.modified += stats->modified;
}

bool text_equal(const struct text *a, const struct text *b)
{
    if (a == NULL || b == NULL || a->kind != b->kind)
        return a == b;
    if (a->kind == TEXT_LINE)
        return strcmp(a->line, b->line) == 0;
    if (a->kind == TEXT_WRAP)
        return strcmp(a->prefix, b->prefix) == 0 && strcmp(a->suffix, b->suffix) == 0 && text_equal(a->inner, b->inner);
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++) {
        const struct text_record *r = &a->records[i], *s = &b->records[i];
        if (r->mark != s->mark || !str_eq(r->key, s->key) || !text_equal(r->value, s->value))
            return false;
    }
    return true;
}

/* -- making lines -- */

static void become_line(struct text *t, char *take_line)
{
    struct text old = *t;
    struct text *shell = xmemdup(&old, sizeof old);
    *t = (struct text){.kind = TEXT_LINE, .line = take_line};
    text_free(shell);
}

static void text_compact(struct text *t, char mark);

static void list_compact(struct text *t, char mark)
{
    _auto_buf_ struct buf b = BUF_INIT;
    bool lines = false; /* must it stay on several? */
    for (size_t i = 0; i < t->len; i++) {
        struct text_record *r = &t->records[i];
        text_compact(r->value, r->mark != 0 ? r->mark : mark);
        lines = lines || r->mark != 0 || r->has_comment || r->value->kind != TEXT_LINE;
        if (lines)
            continue;
        if (r->key != NULL)
            buf_addf(&b, "%s: ", r->key);
        buf_adds(&b, r->value->line);
        buf_adds(&b, i + 1 < t->len ? ", " : "");
    }
    if (!lines && !(mark != 0 && b.len > MAX_COLUMNS))
        become_line(t, buf_steal(&b, NULL));
}

static void text_compact(struct text *t, char mark)
{
    if (t->kind == TEXT_LIST) {
        list_compact(t, mark);
    } else if (t->kind == TEXT_WRAP) {
        text_compact(t->inner, mark);
        if (t->inner->kind == TEXT_LINE)
            become_line(t, xasprintf("%s%s%s", t->prefix, t->inner->line, t->suffix));
    }
}

/* -- writing -- */

static void indent_write(struct buf *out, char mark, int depth)
{
    buf_addc(out, mark != 0 ? mark : ' ');
    buf_addc(out, ' ');
    for (int i = 0; i < depth; i++)
        buf_addc(out, '\t');
}

static void stats_write(struct buf *out, const struct diff_stats *s)
{
    const struct {
        size_t n;
        const char *word;
    } counts[] = {
        {s->identical, "identical"}, {s->removed, "removed"}, {s->inserted, "inserted"}, {s->modified, "modified"}};
    size_t kinds = 0, sum = 0, done = 0;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        kinds += counts[i].n > 0;
        sum += counts[i].n;
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        if (counts[i].n == 0)
            continue;
        if (done > 0)
            buf_adds(out, kinds == 2 ? " and " : done + 1 == kinds ? ", and " : ", ");
        buf_addf(out, "%zu %s", counts[i].n, counts[i].word);
        done++;
    }
    if (sum > 1 && str_ends(s->name, "y"))
        buf_addf(out, " %.*sies", (int)strlen(s->name) - 1, s->name);
    else
        buf_addf(out, " %s%s", s->name, sum > 1 ? "s" : "");
}

static void text_expand(const struct text *t, struct buf *out, char mark, int depth);

static size_t text_runes(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Blanks after each key, so that the values of neighbouring one-line records stand in a column. */
static void keys_align(const struct text *list, size_t *blanks)
{
    size_t start = 0, widest = 0;
    for (size_t i = 0; i <= list->len; i++) {
        const struct text_record *r = i < list->len ? &list->records[i] : NULL;
        if (r != NULL && r->key != NULL && r->value->kind == TEXT_LINE) {
            size_t n = text_runes(r->key);
            widest = n > widest ? n : widest;
            continue;
        }
        for (size_t j = start; j < i; j++)
            blanks[j] = widest - text_runes(list->records[j].key);
        start = i + 1;
        widest = 0;
    }
}

/* A list of plain values fills lines as it can. */
static bool is_plain_list(const struct text *t)
{
    for (size_t i = 0; i < t->len; i++) {
        const struct text_record *r = &t->records[i];
        if (r->mark != 0 || r->key != NULL || r->has_comment || r->value->kind != TEXT_LINE)
            return false;
    }
    return t->len > 0;
}

static void batch_emit(struct buf *batch, struct buf *out, char mark, int depth)
{
    if (batch->len == 0)
        return;
    buf_addc(out, '\n');
    indent_write(out, mark, depth);
    buf_add(out, batch->data, batch->data[batch->len - 1] == ' ' ? batch->len - 1 : batch->len);
    buf_clear(batch);
}

static void plain_list_expand(const struct text *t, struct buf *out, char mark, int depth)
{
    _auto_buf_ struct buf batch = BUF_INIT;
    for (size_t i = 0; i < t->len; i++) {
        const char *line = t->records[i].value->line;
        if (batch.len + strlen(line) + 2 > MAX_COLUMNS)
            batch_emit(&batch, out, mark, depth + 1);
        buf_addf(&batch, "%s, ", line);
    }
    batch_emit(&batch, out, mark, depth + 1);
}

static void list_expand(const struct text *t, struct buf *out, char mark, int depth)
{
    _auto_free_ size_t *blanks = xcalloc(t->len + 1, sizeof *blanks);
    if (is_plain_list(t)) {
        plain_list_expand(t, out, mark, depth);
    } else {
        keys_align(t, blanks);
        for (size_t i = 0; i < t->len; i++) {
            const struct text_record *r = &t->records[i];
            char sign = r->mark != 0 ? r->mark : mark;
            buf_addc(out, '\n');
            indent_write(out, sign, depth + 1);
            if (r->key != NULL)
                buf_addf(out, "%s: %*s", r->key, (int)blanks[i], "");
            text_expand(r->value, out, sign, depth + 1);
            buf_adds(out, r->is_ellipsis ? "" : ",");
            if (r->has_comment) {
                buf_adds(out, " // ");
                stats_write(out, &r->comment);
            }
        }
    }
    buf_addc(out, '\n');
    indent_write(out, mark, depth);
}

static void text_expand(const struct text *t, struct buf *out, char mark, int depth)
{
    if (t->kind == TEXT_LINE) {
        buf_adds(out, t->line);
    } else if (t->kind == TEXT_LIST) {
        list_expand(t, out, mark, depth);
    } else {
        buf_adds(out, t->prefix);
        text_expand(t->inner, out, mark, depth);
        buf_adds(out, t->suffix);
    }
}

void text_render(struct text *t, struct buf *out)
{
    text_compact(t, 0);
    indent_write(out, 0, 0);
    text_expand(t, out, 0, 0);
    buf_addc(out, '\n');
}
