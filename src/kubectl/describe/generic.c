/* generic.c - any object of any kind, member by member: for kinds that have no describer of their own.
 *
 * A member's name becomes words: "volumeSnapshotClassName" is "Volume Snapshot Class Name". THREADS: pure. */
#include "kubectl/describe/page_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum letter { LETTER_LOWER, LETTER_UPPER, LETTER_OTHER };

static enum letter letter_of(char c)
{
    return islower((unsigned char)c) ? LETTER_LOWER : isupper((unsigned char)c) ? LETTER_UPPER : LETTER_OTHER;
}

/* How long is the word at the start? A capital belongs to the small letters after it, so does the last of several. */
static size_t word_len(const char *s)
{
    size_t n = 1;
    while (s[n] != '\0' && letter_of(s[n]) == letter_of(s[0]))
        n++;
    if (letter_of(s[0]) != LETTER_UPPER || s[n] == '\0' || letter_of(s[n]) != LETTER_LOWER)
        return n;
    if (n > 1)
        return n - 1;
    while (s[n] != '\0' && letter_of(s[n]) == LETTER_LOWER)
        n++;
    return n;
}

static void add_word(struct buf *out, const char *s, size_t n)
{
    static const char *const acronyms[] = {"API", "URL", "UID", "OSB", "GUID"};
    for (size_t i = 0; i < ARRAY_LEN(acronyms); i++) {
        if (strlen(acronyms[i]) == n && strncasecmp(acronyms[i], s, n) == 0) {
            buf_adds(out, acronyms[i]);
            return;
        }
    }
    buf_addc(out, (char)toupper((unsigned char)s[0]));
    buf_add(out, s + 1, n - 1);
}

static void add_label(struct buf *out, const char *field)
{
    for (const char *s = field; *s != '\0'; s++) {
        if (isalpha((unsigned char)*s) || *s == '-')
            continue;
        buf_adds(out, field); /* not a name that anybody made: as it is */
        return;
    }
    for (const char *s = field; *s != '\0';) {
        size_t n = word_len(s);
        if (s != field)
            buf_addc(out, ' ');
        add_word(out, s, n);
        s += n;
    }
}

static bool is_shown_above(const char *path)
{
    static const char *const paths[] = {".metadata.managedFields", ".metadata.name", ".metadata.namespace",
                                        ".metadata.labels", ".metadata.annotations"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (str_eq(paths[i], path))
            return true;
    return false;
}

static void put_members(struct page *p, int level, const json_t *object, const char *prefix);

static void put_member(struct page *p, int level, const char *label, const json_t *value, const char *path)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (!json_is_object(value) && !json_is_array(value)) {
        value_text(&text, value);
        page_put(p, level, "%s:\t%s\n", label, buf_str(&text));
        return;
    }
    page_put(p, level, "%s:\n", label);
    if (json_is_object(value))
        put_members(p, level + 1, value, path);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *child = json_array_get(value, i);
        if (json_is_object(child)) {
            put_members(p, level + 1, child, path);
            continue;
        }
        buf_clear(&text);
        value_text(&text, child);
        page_put(p, level + 1, "%s\n", buf_str(&text));
    }
}

static void put_members(struct page *p, int level, const json_t *object, const char *prefix)
{
    _auto_json_ json_t *keys = keys_sorted(object);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));
        _auto_free_ char *path = xasprintf("%s.%s", prefix, key);
        _auto_buf_ struct buf label = BUF_INIT;
        if (is_shown_above(path))
            continue;
        add_label(&label, key);
        put_member(p, level, buf_str(&label), json_object_get(object, key), path);
    }
}

void describe_generic(struct page *p, const json_t *object)
{
    page_put(p, 0, "Name:\t%s\n", jstr_or(object, "metadata.name", ""));
    page_put(p, 0, "Namespace:\t%s\n", jstr_or(object, "metadata.namespace", ""));
    page_labels(p, "", "Labels:", jat(object, "metadata.labels"));
    page_annotations(p, "Annotations:", jat(object, "metadata.annotations"));
    put_members(p, 0, object, "");
}
