/* http.c - see http.h.
 *
 * A head is read as a whole and cut apart in place. Whatever could be understood in two ways (a length twice, a length
 * and chunks, a line folded, a space before a colon) is refused, so that nothing can be smuggled past us to a server
 * that understands it the other way. THREADS: pure, but for the connections. Source: RFC 9112. */
#include "ingress/http.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- heads ---- */

/* The length of the head at the buffer's front with its empty line, 0 = not complete. */
static size_t head_length(const struct io *io)
{
    const char *start = io->data + io->at, *end = memmem(start, io->len - io->at, "\r\n\r\n", 4);
    return end ? (size_t)(end - start) + 4 : 0;
}

static bool is_token(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
            return false;
    return true;
}

/* Three words; the last may have blanks (a reason) or be missing. */
static bool cut_first_line(struct head *h, char *line)
{
    for (size_t i = 0; i < 3; i++) {
        h->first[i] = line;
        char *blank = i < 2 ? strchr(line, ' ') : NULL;
        if (!blank && i < 1)
            return false;
        if (!blank) {
            line += strlen(line);
            continue;
        }
        *blank = '\0';
        line = blank + 1;
    }
    return *h->first[0] && *h->first[1];
}

static bool cut_field(struct head *h, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon || h->count == FIELDS_MAX)
        return false;
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t n = strlen(value);
    while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
        value[--n] = '\0';
    h->fields[h->count++] = (struct field){line, value};
    return is_token(line);
}

static bool head_cut(struct head *h, size_t len)
{
    h->count = 0;
    if (memchr(h->text, '\0', len))
        return false;
    h->text[len - 2] = '\0'; /* the empty line */
    char *line = h->text;
    for (bool first = true; *line; first = false) {
        char *end = strstr(line, "\r\n");
        if (!end)
            return false;
        *end = '\0';
        if (strpbrk(line, "\r\n") || !(first ? cut_first_line(h, line) : cut_field(h, line)))
            return false;
        line = end + 2;
    }
    return h->text[0] != '\0';
}

int head_read(struct io *io, struct head *h, int timeout_ms)
{
    size_t len;
    while (!(len = head_length(io))) {
        const bool full = io->len - io->at == sizeof io->data;
        const ssize_t n = full ? 0 : io_fill(io, timeout_ms);
        if (n > 0)
            continue;
        if (n == 0 && io->at == io->len)
            return 0;
        if (n == 0)
            errno = full ? EMSGSIZE : EBADMSG;
        return -1;
    }
    memcpy(h->text, io->data + io->at, len);
    h->text[len] = '\0';
    io->at += len;
    if (head_cut(h, len))
        return 1;
    errno = EBADMSG;
    return -1;
}

const char *head_get(const struct head *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcasecmp(h->fields[i].name, name) == 0)
            return h->fields[i].value;
    return NULL;
}

static bool list_has(const char *list, const char *word)
{
    const size_t len = strlen(word);
    while (*list) {
        list += strspn(list, " \t,");
        const size_t n = strcspn(list, " \t,;");
        if (n == len && strncasecmp(list, word, n) == 0)
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

bool head_has(const struct head *h, const char *name, const char *word)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcasecmp(h->fields[i].name, name) == 0 && list_has(h->fields[i].value, word))
            return true;
    return false;
}

/* ---- bodies ---- */

static size_t count_of(const struct head *h, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += strcasecmp(h->fields[i].name, name) == 0;
    return n;
}

/* By the fields alone; `without`: what it is if they say nothing. */
static int body_by_fields(const struct head *h, enum framing without, struct body *out)
{
    const char *length = head_get(h, "Content-Length"), *coding = head_get(h, "Transfer-Encoding");
    *out = (struct body){.framing = without};
    if (count_of(h, "Content-Length") > 1 || count_of(h, "Transfer-Encoding") > 1 || (length && coding))
        return -1;
    if (coding) {
        out->framing = BODY_CHUNKED;
        return strcasecmp(coding, "chunked") == 0 ? 0 : -1;
    }
    if (!length)
        return 0;
    out->framing = BODY_LENGTH;
    return str_to_u64(length, &out->length) ? 0 : -1;
}

int body_of_request(const struct head *h, struct body *out)
{
    return body_by_fields(h, BODY_NONE, out);
}

int body_of_answer(const struct head *h, int code, const char *method, struct body *out)
{
    if (body_by_fields(h, BODY_UNTIL_END, out) < 0)
        return -1;
    if (code < 200 || code == 204 || code == 304 || strcmp(method, "HEAD") == 0)
        out->framing = BODY_NONE;
    return 0;
}

/* Carries `left` bytes. */
static int copy_bytes(struct io *from, struct io *to, uint64_t left)
{
    while (left) {
        if (from->at == from->len && io_fill(from, IO_SILENCE_MS) <= 0)
            return -1;
        const size_t have = from->len - from->at, n = have < left ? have : (size_t)left;
        if (io_write(to, from->data + from->at, n) < 0)
            return -1;
        from->at += n;
        left -= n;
    }
    return 0;
}

/* A line with its end, carried as it is (`to` NULL: nowhere); its text without the end goes to `out`. */
static int copy_line(struct io *from, struct io *to, char *out, size_t size)
{
    for (;;) {
        const char *start = from->data + from->at, *end = memmem(start, from->len - from->at, "\r\n", 2);
        if (end) {
            const size_t n = (size_t)(end - start);
            if (n >= size || (to && io_write(to, start, n + 2) < 0))
                return -1;
            memcpy(out, start, n);
            out[n] = '\0';
            from->at += n + 2;
            return 0;
        }
        if (from->len - from->at >= size || io_fill(from, IO_SILENCE_MS) <= 0)
            return -1;
    }
}

/* The chunks' sizes and ends go to `frame`, or with NULL nowhere. */
static int copy_chunks(struct io *from, struct io *to, struct io *frame)
{
    char line[4096];
    for (;;) {
        char *end = NULL;
        if (copy_line(from, frame, line, sizeof line) < 0 || !isxdigit((unsigned char)line[0]))
            return -1;
        errno = 0;
        const unsigned long long n = strtoull(line, &end, 16);
        if (errno || (*end && *end != ';' && *end != ' '))
            return -1;
        if (n == 0)
            break;
        if (copy_bytes(from, to, n) < 0 || copy_line(from, frame, line, sizeof line) < 0 || *line)
            return -1;
    }
    do { /* trailers and the empty line */
        if (copy_line(from, frame, line, sizeof line) < 0)
            return -1;
    } while (*line);
    return 0;
}

static int copy_until_end(struct io *from, struct io *to)
{
    for (;;) {
        if (from->at == from->len) {
            const ssize_t n = io_fill(from, IO_SILENCE_MS);
            if (n <= 0)
                return (int)n;
        }
        if (io_write(to, from->data + from->at, from->len - from->at) < 0)
            return -1;
        from->at = from->len;
    }
}

static int copy_body(struct io *from, struct io *to, struct io *frame, const struct body *b)
{
    switch (b->framing) {
    case BODY_LENGTH:
        return copy_bytes(from, to, b->length);
    case BODY_CHUNKED:
        return copy_chunks(from, to, frame);
    case BODY_UNTIL_END:
        return copy_until_end(from, to);
    default:
        return 0;
    }
}

int body_copy(struct io *from, struct io *to, const struct body *b)
{
    return copy_body(from, to, to, b);
}

int body_unwrap(struct io *from, struct io *to, const struct body *b)
{
    return copy_body(from, to, NULL, b);
}
