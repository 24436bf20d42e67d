/* expand.c - see expand_int.h.
 *
 * DESIGN: the word is walked once. What it means goes to `text`; beside it `pattern` holds the same with everything
 * that was quoted escaped, so that the file patterns of one walk are those that were typed bare. A bare $X or $(…)
 * splits at blanks: a word ends and another begins. */
#include "cli/repl/expand_int.h"

#include "base/mem.h"
#include "cli/repl/words_int.h"

#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
    const struct expansion *x;
    struct strlist *out;
    struct buf text, pattern;
    bool any;   /* a word has begun, though it may be empty: '' */
    bool globs; /* a bare *, ? or [ */
    bool split; /* blanks of values end words */
    struct err *e;
};

static void put(struct walk *w, char c, bool quoted)
{
    const bool special = strchr("*?[\\", c) != NULL;
    w->any = true;
    buf_addc(&w->text, c);
    if (special && quoted)
        buf_addc(&w->pattern, '\\');
    buf_addc(&w->pattern, c);
    w->globs = w->globs || (special && !quoted && c != '\\');
}

/* Files that fit, or the word as it is when none does. */
static void finish(struct walk *w)
{
    glob_t files = {0};
    if (!w->any)
        return;
    if (w->globs && w->split && glob(buf_str(&w->pattern), 0, NULL, &files) == 0)
        for (size_t i = 0; i < files.gl_pathc; i++)
            strlist_add(w->out, files.gl_pathv[i]);
    else
        strlist_add(w->out, buf_str(&w->text));
    globfree(&files);
    buf_clear(&w->text);
    buf_clear(&w->pattern);
    w->any = w->globs = false;
}

static void put_value(struct walk *w, const char *value, bool quoted)
{
    for (; *value; value++) {
        if (!quoted && w->split && isspace((unsigned char)*value))
            finish(w);
        else
            put(w, *value, quoted || !w->split);
    }
}

/* ---- dollars ---- */

static size_t name_length(const char *p)
{
    size_t n = 0;
    if (*p == '?')
        return 1;
    while (p[n] == '_' || isalpha((unsigned char)p[n]) || (n && isdigit((unsigned char)p[n])))
        n++;
    return n;
}

static void put_variable(struct walk *w, const char *name, size_t n, const char *otherwise, bool quoted)
{
    _auto_free_ char *key = xstrndup(name, n);
    char last[16];
    snprintf(last, sizeof last, "%d", w->x->last);
    const char *value = str_eq(key, "?") ? last : getenv(key);
    w->any = w->any || quoted;
    put_value(w, str_empty(value) ? otherwise : value, quoted);
}

/* $(…): its output, newlines at the end cut off. */
static int put_substitution(struct walk *w, const char *text, size_t n, bool quoted)
{
    _auto_free_ char *command = xstrndup(text, n);
    _auto_buf_ struct buf told = BUF_INIT;
    if (!w->x->substitute)
        return err_set(w->e, ERR_BAD_REQUEST, "$(…) can not be used here");
    if (w->x->substitute(w->x->arg, command, &told, w->e) < 0)
        return -1;
    while (told.len && told.data[told.len - 1] == '\n')
        told.data[--told.len] = '\0';
    w->any = w->any || quoted;
    put_value(w, buf_str(&told), quoted);
    return 0;
}

/* ${NAME} and ${NAME:-otherwise}. Returns how long it is; 0: it is none. */
static size_t put_braced(struct walk *w, const char *p, bool quoted)
{
    const char *end = strchr(p, '}');
    const size_t n = name_length(p + 2);
    if (!end || !n)
        return 0;
    const char *rest = p + 2 + n;
    if (rest != end && !str_starts(rest, ":-"))
        return 0;
    _auto_free_ char *otherwise = rest == end ? xstrdup("") : xstrndup(rest + 2, (size_t)(end - rest - 2));
    put_variable(w, p + 2, n, otherwise, quoted);
    return (size_t)(end + 1 - p);
}

/* At a dollar. Returns past it, or NULL with `e`. A dollar that means nothing is one ("{$.x}"). */
static const char *dollar(struct walk *w, const char *p, bool quoted)
{
    const size_t n = name_length(p + 1);
    if (p[1] == '(') {
        bool open;
        const size_t whole = word_bracket(p + 1, &open);
        return open                                                ? (put(w, '$', quoted), p + 1)
               : put_substitution(w, p + 2, whole - 2, quoted) < 0 ? NULL
                                                                   : p + 1 + whole;
    }
    const size_t braced = p[1] == '{' ? put_braced(w, p, quoted) : 0;
    if (braced)
        return p + braced;
    if (!n) {
        put(w, '$', quoted);
        return p + 1;
    }
    put_variable(w, p + 1, n, "", quoted);
    return p + 1 + n;
}

/* ---- quotes ---- */

static const char *single(struct walk *w, const char *p)
{
    w->any = true;
    for (p++; *p && *p != '\''; p++)
        put(w, *p, true);
    return *p ? p + 1 : p;
}

static const char *escaped(struct walk *w, const char *p, const char *special)
{
    if (p[1] == '\n')
        return p + 2;
    if (p[1] && (!special || strchr(special, p[1])))
        p++;
    put(w, *p, true);
    return p + 1;
}

static const char *doubled(struct walk *w, const char *p)
{
    w->any = true;
    for (p++; p && *p && *p != '"';) {
        if (*p == '\\')
            p = escaped(w, p, "\"\\$`");
        else if (*p == '$')
            p = dollar(w, p, true);
        else
            put(w, *p++, true);
    }
    return p && *p ? p + 1 : p;
}

static const char *tilde(struct walk *w, const char *p)
{
    const char *home = getenv("HOME");
    if ((p[1] && p[1] != '/') || str_empty(home))
        put(w, '~', true);
    else
        for (; *home; home++)
            put(w, *home, true);
    return p + 1;
}

static int walk_word(struct walk *w, const char *word)
{
    for (const char *p = word; *p;) {
        if (*p == '\'')
            p = single(w, p);
        else if (*p == '"')
            p = doubled(w, p);
        else if (*p == '$')
            p = dollar(w, p, false);
        else if (*p == '\\')
            p = escaped(w, p, NULL);
        else if (*p == '~' && p == word)
            p = tilde(w, p);
        else
            put(w, *p++, false);
        if (!p)
            return -1;
    }
    return 0;
}

/* ---- doors ---- */

static void walk_release(struct walk *w)
{
    buf_release(&w->text);
    buf_release(&w->pattern);
}

int expand_word(const struct expansion *x, const char *word, struct strlist *out, struct err *e)
{
    struct walk w = {.x = x, .out = out, .split = true, .e = e};
    const int rc = walk_word(&w, word);
    if (rc == 0)
        finish(&w);
    walk_release(&w);
    return rc;
}

char *expand_one(const struct expansion *x, const char *word, struct err *e)
{
    struct walk w = {.x = x, .e = e};
    char *text = walk_word(&w, word) == 0 ? buf_steal(&w.text, NULL) : NULL;
    walk_release(&w);
    return text;
}

int expand_text(const struct expansion *x, const char *text, struct buf *out, struct err *e)
{
    struct walk w = {.x = x, .e = e};
    const char *p = text;
    while (p && *p) {
        if (*p == '\\')
            p = escaped(&w, p, "\\$`");
        else if (*p == '$')
            p = dollar(&w, p, true);
        else
            put(&w, *p++, true);
    }
    if (p)
        buf_add(out, buf_str(&w.text), w.text.len);
    walk_release(&w);
    return p ? 0 : -1;
}

/* ---- for the shell ---- */

/* At "$(" of ours: its output in a variable of its own. Returns past it, or NULL with `e`. */
static const char *put_as_variable(const struct expansion *x, const char *p, size_t n, struct buf *out, struct err *e)
{
    static unsigned count;
    _auto_free_ char *text = xstrndup(p + 2, n - 2), *name = xasprintf("stowage_repl_%u", ++count % 64);
    _auto_buf_ struct buf told = BUF_INIT;
    if (x->substitute(x->arg, text, &told, e) < 0)
        return NULL;
    while (told.len && told.data[told.len - 1] == '\n')
        told.data[--told.len] = '\0';
    setenv(name, buf_str(&told), 1);
    buf_addf(out, "${%s}", name);
    return p + 1 + n;
}

int expand_for_shell(const struct expansion *x, const char *raw, bool (*ours)(const char *text), struct buf *out,
                     struct err *e)
{
    bool literal = false, quoted = false, open = true;
    for (const char *p = raw; p && *p;) {
        const size_t n = *p == '$' && p[1] == '(' && !literal ? word_bracket(p + 1, &open) : 0;
        if (n && !open && ours(p + 2)) {
            p = put_as_variable(x, p, n, out, e);
            if (!p)
                return -1;
            continue;
        }
        literal = *p == '\'' && !quoted ? !literal : literal;
        quoted = *p == '"' && !literal ? !quoted : quoted;
        if (*p == '\\' && !literal && p[1])
            buf_addc(out, *p++);
        buf_addc(out, *p++);
    }
    return 0;
}
