/* pairs.c - see pairs.h. THREADS: pure. */
#include "kubectl/pairs.h"

#include "base/buf.h"
#include "base/mem.h"

#include <ctype.h>
#include <string.h>

#define LABEL_MAX 63

void pairs_release(struct pairs *p)
{
    json_decref(p->put);
    strlist_release(&p->remove);
    *p = (struct pairs){0};
}

bool pairs_is(const char *word)
{
    return strchr(word, '=') != NULL || str_ends(word, "-");
}

/* Why it is no label's value, in the validators' words; NULL: it is one. */
static const char *label_refusal(const char *value)
{
    size_t n = strlen(value);
    bool fine = n == 0 || (isalnum((unsigned char)value[0]) && isalnum((unsigned char)value[n - 1]));
    for (size_t i = 0; i < n; i++)
        fine &= isalnum((unsigned char)value[i]) || strchr("-_.", value[i]) != NULL;
    if (n > LABEL_MAX)
        return "must be no more than 63 characters";
    if (!fine)
        return "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
               "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
               "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    return NULL;
}

static int parse_label(const char *word, struct pairs *p, struct err *e)
{
    const char *equal = strchr(word, '=');
    if (equal == NULL && str_ends(word, "-")) {
        strlist_take(&p->remove, xstrndup(word, strlen(word) - 1));
        return 0;
    }
    if (equal == NULL)
        return err_set(e, ERR_BAD_REQUEST, "unknown label spec: %s", word);
    if (strchr(equal + 1, '=') != NULL)
        return err_set(e, ERR_BAD_REQUEST, "invalid label spec: %s", word);
    const char *why = label_refusal(equal + 1);
    if (why != NULL) {
        _auto_buf_ struct buf quoted = BUF_INIT;
        buf_add_quoted(&quoted, word, strlen(word));
        return err_set(e, ERR_BAD_REQUEST, "invalid label value: %s: %s", buf_str(&quoted), why);
    }
    _auto_free_ char *key = xstrndup(word, (size_t)(equal - word));
    json_object_set_new(p->put, key, json_string(equal + 1));
    return 0;
}

/* false: it is neither. */
static bool parse_annotation(const char *word, struct pairs *p)
{
    const char *equal = strchr(word, '=');
    if (equal != NULL && equal != word) {
        _auto_free_ char *key = xstrndup(word, (size_t)(equal - word));
        json_object_set_new(p->put, key, json_string(equal + 1));
        return true;
    }
    if (equal != NULL || !str_ends(word, "-") || word[1] == '\0')
        return false;
    strlist_take(&p->remove, xstrndup(word, strlen(word) - 1));
    return true;
}

static int parse_all(const struct strlist *words, bool labels, struct pairs *p, struct err *e)
{
    _auto_buf_ struct buf invalid = BUF_INIT;
    for (size_t i = p->words; i < words->len; i++) {
        if (labels && parse_label(words->items[i], p, e) < 0)
            return -1;
        if (!labels && !parse_annotation(words->items[i], p))
            buf_addf(&invalid, "%s%s", invalid.len > 0 ? ", " : "", words->items[i]);
    }
    if (invalid.len > 0)
        return err_set(e, ERR_BAD_REQUEST, "invalid annotation format: %s", buf_str(&invalid));
    return 0;
}

int pairs_parse(const struct strlist *words, const char *what, struct pairs *out, struct err *e)
{
    _auto_pairs_ struct pairs p = {.put = json_object()};
    bool labels = str_eq(what, "label");
    while (p.words < words->len && !pairs_is(words->items[p.words]))
        p.words++;
    for (size_t i = p.words; i < words->len; i++)
        if (!pairs_is(words->items[i]))
            return err_set(e, ERR_BAD_REQUEST, "all resources must be specified before %s changes: %s", what,
                           words->items[i]);
    if (parse_all(words, labels, &p, e) < 0)
        return -1;
    for (size_t i = 0; i < p.remove.len; i++) {
        if (json_object_get(p.put, p.remove.items[i]) == NULL)
            continue;
        if (labels)
            return err_set(e, ERR_BAD_REQUEST, "can not both modify and remove a label in the same command");
        return err_set(e, ERR_BAD_REQUEST,
                       "can not both modify and remove the following annotation(s) in the same command: %s",
                       p.remove.items[i]);
    }
    *out = p;
    p = (struct pairs){0};
    return 0;
}
