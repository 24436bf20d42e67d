/* words.c - see words_int.h.
 *
 * DESIGN: one cursor over the text, one function a rule of the grammar. "Goes on" is found where it is met (an open
 * quote, a pipe with nothing behind it, a heredoc without its end) and carried up as 1. The text is parsed anew with
 * each further line: lines are short, and no state need be kept between them.
 *
 * When you add an operator also change `ends_word` and the completion (complete.c), which asks where a command
 * begins. */
#include "cli/repl/words_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\n;|&<>", c) != NULL;
}

/* Past the quote that begins at p; to the end of the text when it stays open. */
static const char *past_quote(const char *p, bool *open)
{
    const char quote = *p++;
    while (*p && *p != quote)
        p += *p == '\\' && quote == '"' && p[1] ? 2 : 1;
    *open = *open || !*p;
    return *p ? p + 1 : p;
}

size_t word_bracket(const char *start, bool *out_open)
{
    const char *p = start;
    size_t depth = 0;
    *out_open = false;
    do {
        if (*p == '\'' || *p == '"') {
            p = past_quote(p, out_open);
            continue;
        }
        depth += (*p == '(') - (*p == ')');
        p += *p == '\\' && p[1] ? 2 : 1;
    } while (depth && *p);
    *out_open = depth > 0;
    return (size_t)(p - start);
}

size_t word_length(const char *start, bool *out_open)
{
    const char *p = start;
    *out_open = false;
    while (!ends_word(*p)) {
        if (*p == '\'' || *p == '"') {
            p = past_quote(p, out_open);
        } else if (*p == '(') {
            bool open;
            p += word_bracket(p, &open);
            *out_open = *out_open || open;
        } else if (*p == '\\') {
            *out_open = *out_open || !p[1] || (p[1] == '\n' && !p[2]);
            p += p[1] ? 2 : 1;
        } else {
            p++;
        }
    }
    return (size_t)(p - start);
}

/* ---- the grammar ---- */

struct parser {
    const char *p;
    bool at_end;
    struct err *e;
    struct heredoc **waiting; /* owned list of borrowed: their texts begin behind this line */
    size_t nwaiting;
};

static int goes_on(struct parser *x, const char *what)
{
    return x->at_end ? err_set(x->e, ERR_BAD_REQUEST, "%s", what) : 1;
}

static void skip_blanks(struct parser *x)
{
    while (*x->p == ' ' || *x->p == '\t' || (*x->p == '\\' && x->p[1] == '\n'))
        x->p += *x->p == '\\' ? 2 : 1;
    if (*x->p == '#')
        x->p += strcspn(x->p, "\n");
}

/* The next word as typed; 1 when it is not finished. */
static int take_word(struct parser *x, char **out)
{
    bool open;
    skip_blanks(x);
    const size_t n = word_length(x->p, &open);
    if (open)
        return goes_on(x, "a quote or a bracket is not closed");
    if (n == 0)
        return err_set(x->e, ERR_BAD_REQUEST, "something is missing before %s", *x->p > ' ' ? x->p : "the line's end");
    *out = xstrndup(x->p, n);
    x->p += n;
    return 0;
}

/* ---- heredocs ---- */

/* Behind "<<". */
static int begin_heredoc(struct parser *x, struct stage *s)
{
    const bool strip = *x->p == '-';
    x->p += strip;
    _auto_free_ char *word = NULL;
    const int rc = take_word(x, &word);
    if (rc != 0)
        return rc;
    if (s->heredoc)
        return err_set(x->e, ERR_BAD_REQUEST, "a command has one << only");
    s->heredoc = xcalloc(1, sizeof *s->heredoc);
    *s->heredoc = (struct heredoc){.literal = strpbrk(word, "'\"\\") != NULL, .strip = strip};
    _auto_buf_ struct buf bare = BUF_INIT;
    for (const char *c = word; *c; c++)
        if (!strchr("'\"\\", *c))
            buf_addc(&bare, *c);
    s->heredoc->delimiter = buf_steal(&bare, NULL);
    x->waiting = xrealloc(x->waiting, (x->nwaiting + 1) * sizeof(struct heredoc *));
    x->waiting[x->nwaiting++] = s->heredoc;
    return 0;
}

/* True when its delimiter was met. */
static bool read_heredoc(struct parser *x, struct heredoc *h)
{
    while (*x->p) {
        while (h->strip && *x->p == '\t')
            x->p++;
        const char *line = x->p;
        const size_t n = strcspn(line, "\n");
        const bool whole = line[n] == '\n', last = n == strlen(h->delimiter) && memcmp(line, h->delimiter, n) == 0;
        x->p += n + whole;
        if (last)
            return true;
        buf_add(&h->text, line, n);
        buf_addc(&h->text, '\n');
    }
    return false;
}

/* At a line's end: what was announced in it comes now. */
static int read_heredocs(struct parser *x)
{
    for (size_t i = 0; i < x->nwaiting; i++)
        if (!read_heredoc(x, x->waiting[i]) && !x->at_end)
            return 1;
    x->nwaiting = 0;
    return 0;
}

static int skip_lines(struct parser *x)
{
    int rc = 0;
    for (skip_blanks(x); rc == 0 && *x->p == '\n'; skip_blanks(x)) {
        x->p++;
        rc = read_heredocs(x);
    }
    return rc;
}

/* ---- redirections ---- */

static const struct {
    const char *sign;
    enum redirect_kind kind;
    int fd;
} signs[] = {
    {"2>&", REDIRECT_SAME, 2},   {"1>&", REDIRECT_SAME, 1},    {">&", REDIRECT_SAME, 1},   {"2>>", REDIRECT_APPEND, 2},
    {"1>>", REDIRECT_APPEND, 1}, {"&>>", REDIRECT_APPEND, -1}, {">>", REDIRECT_APPEND, 1}, {"2>", REDIRECT_OUT, 2},
    {"1>", REDIRECT_OUT, 1},     {"&>", REDIRECT_OUT, -1},     {">", REDIRECT_OUT, 1},     {"0<", REDIRECT_IN, 0},
    {"<", REDIRECT_IN, 0},
};

/* ARRAY_LEN: none begins here. */
static size_t sign_at(const char *p)
{
    size_t i = 0;
    while (i < ARRAY_LEN(signs) && !str_starts(p, signs[i].sign))
        i++;
    return i;
}

static int take_redirect(struct parser *x, struct stage *s, size_t sign)
{
    x->p += strlen(signs[sign].sign);
    struct redirect r = {signs[sign].kind, signs[sign].fd, NULL};
    const int rc = take_word(x, &r.word);
    if (rc != 0)
        return rc;
    s->redirects = xrealloc(s->redirects, (s->nredirects + 1) * sizeof *s->redirects);
    s->redirects[s->nredirects++] = r;
    return 0;
}

/* ---- the grammar ---- */

static bool at_stage_end(const struct parser *x)
{
    return !*x->p || strchr("\n;|", *x->p) || (*x->p == '&' && x->p[1] != '>');
}

static int take_stage(struct parser *x, struct stage *s)
{
    const char *from = x->p;
    _auto_buf_ struct buf raw = BUF_INIT;
    int rc = 0;
    for (skip_blanks(x); rc == 0 && !at_stage_end(x); skip_blanks(x)) {
        const size_t sign = sign_at(x->p);
        char *word = NULL;
        if (str_starts(x->p, "<<") && x->p[2] != '<') {
            buf_add(&raw, from, (size_t)(x->p - from));
            x->p += 2;
            rc = begin_heredoc(x, s);
            from = x->p;
        } else if (sign < ARRAY_LEN(signs)) {
            rc = take_redirect(x, s, sign);
        } else if ((rc = take_word(x, &word)) == 0) {
            strlist_take(&s->words, word);
        }
    }
    if (rc == 0)
        buf_add(&raw, from, (size_t)(x->p - from));
    s->raw = buf_steal(&raw, NULL);
    if (rc == 0 && !s->words.len && !s->nredirects)
        return *x->p ? err_set(x->e, ERR_BAD_REQUEST, "a command is missing before \"%.*s\"", (int)strcspn(x->p, "\n"),
                               x->p)
                     : goes_on(x, "a command is missing at the end");
    return rc;
}

static struct stage *add_stage(struct pipeline *p)
{
    p->stages = xrealloc(p->stages, (p->len + 1) * sizeof *p->stages);
    p->stages[p->len] = (struct stage){0};
    return &p->stages[p->len++];
}

/* ---- loops and conditions: the shell's ---- */

static bool is_one_of(const char *word, size_t n, const char *blank_separated)
{
    for (const char *p = blank_separated; *p; p += strspn(p, " ")) {
        const size_t len = strcspn(p, " ");
        if (len == n && memcmp(p, word, n) == 0)
            return true;
        p += len;
    }
    return false;
}

#define OPENS  "for while until if case {"
#define CLOSES "done fi esac }"
#define GOES   "do then else elif"

static bool at_compound(const char *p)
{
    bool open;
    return is_one_of(p, word_length(p, &open), OPENS);
}

/* Past the word that closes what is opened at `p`, and what follows it in its line; NULL: that has not come. */
static const char *past_compound(const char *p)
{
    int depth = 0;
    for (bool command = true; *p;) {
        bool open;
        const size_t n = word_length(p, &open);
        if (n == 0) {
            command = strchr(";|&\n", *p) || (command && strchr(" \t", *p));
            p++;
            continue;
        }
        depth += command && is_one_of(p, n, OPENS);
        depth -= command && is_one_of(p, n, CLOSES);
        command = command && is_one_of(p, n, OPENS " " GOES);
        p += n;
        if (depth == 0)
            return p + strcspn(p, "\n");
    }
    return NULL;
}

static void take_raw(struct parser *x, struct pipeline *p, const char *end)
{
    p->shell = true;
    add_stage(p)->raw = xstrndup(x->p, (size_t)(end - x->p));
    x->p = end;
}

static int take_pipeline(struct parser *x, struct pipeline *p)
{
    if (*x->p == '!') {
        x->p++;
        take_raw(x, p, x->p + strcspn(x->p, "\n"));
        return 0;
    }
    if (at_compound(x->p)) {
        const char *end = past_compound(x->p);
        if (!end)
            return goes_on(x, "a loop or a condition has no end");
        take_raw(x, p, end);
        return 0;
    }
    for (;;) {
        int rc = take_stage(x, add_stage(p));
        if (rc != 0 || *x->p != '|' || x->p[1] == '|')
            return rc;
        x->p++;
        if ((rc = skip_lines(x)) != 0)
            return rc;
    }
}

static int take_script(struct parser *x, struct script *out)
{
    enum joint joint = JOINT_ALWAYS;
    int rc;
    while ((rc = skip_lines(x)) == 0 && (*x->p || joint != JOINT_ALWAYS)) {
        out->items = xrealloc(out->items, (out->len + 1) * sizeof *out->items);
        struct pipeline *p = &out->items[out->len++];
        *p = (struct pipeline){.joint = joint};
        if ((rc = take_pipeline(x, p)) != 0)
            return rc;
        joint = str_starts(x->p, "&&") ? JOINT_AND : str_starts(x->p, "||") ? JOINT_OR : JOINT_ALWAYS;
        p->background = joint == JOINT_ALWAYS && *x->p == '&';
        x->p += joint != JOINT_ALWAYS ? 2 : *x->p == ';' || *x->p == '&';
    }
    return rc != 0 || !x->nwaiting ? rc : read_heredocs(x);
}

int script_parse(const char *text, bool at_end, struct script *out, struct err *e)
{
    struct parser x = {.p = text, .at_end = at_end, .e = e};
    struct script script = {0};
    const int rc = take_script(&x, &script);
    free(x.waiting);
    if (rc == 0) {
        *out = script;
        return 0;
    }
    script_release(&script);
    return rc;
}

/* ---- release ---- */

static void stage_release(struct stage *s)
{
    for (size_t i = 0; i < s->nredirects; i++)
        free(s->redirects[i].word);
    if (s->heredoc) {
        free(s->heredoc->delimiter);
        buf_release(&s->heredoc->text);
    }
    free(s->heredoc);
    free(s->redirects);
    free(s->raw);
    strlist_release(&s->words);
}

void script_release(struct script *s)
{
    for (size_t i = 0; i < s->len; i++) {
        for (size_t k = 0; k < s->items[i].len; k++)
            stage_release(&s->items[i].stages[k]);
        free(s->items[i].stages);
    }
    free(s->items);
    *s = (struct script){0};
}
