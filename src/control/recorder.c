/* recorder.c - writing Events without flooding anybody.
 *
 * DESIGN. Components record occurrences from any thread; the loop thread writes them. On the way an occurrence is
 * correlated as client-go's tools/record does:
 *
 *  1. alike: more than SIMILAR_MAX different messages for one (source, object, type, reason) within SIMILAR_WINDOW
 * become one event whose message says so;
 *  2. the same: an event already written is counted up instead of written again;
 *  3. spam: beyond a burst of SPAM_BURST for one (source, object, type), one in SPAM_REFILL seconds passes.
 *
 * Components that give an instance use the newer form (client-go tools/events, as the scheduler does): the repetition
 * starts a series, which is written when it begins, every SERIES_REFRESH, and when it has rested for SERIES_REST.
 *
 * What is remembered is bounded (MEMORY_MAX keys a table) and lost on restart, as theirs is.
 *
 * THREADS. occurrence_*: any. recorder_*: one at a time (the scribe of control.c). */
#include "control/recorder_int.h"

#include "api/json_scan.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/memo_int.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX        4096
#define SIMILAR_MAX       10
#define SIMILAR_WINDOW_MS 600000
#define SPAM_BURST        25
#define SPAM_REFILL_MS    300000.0
#define SERIES_REST_MS    360000
#define SERIES_REFRESH_MS 1800000
/* The API refuses longer notes in the newer form; the older one knows no limit. */
#define NOTE_MAX 1024

struct recorder {
    struct registry *registry;
    const struct clock *clock;
    struct memo *similar; /* struct similar */
    struct memo *written; /* struct written */
    struct memo *spam;    /* struct bucket_level */
    struct memo *series;  /* struct series */
    int64_t last_name_ns;
    int64_t series_due_ms; /* -1: no series has anything unwritten */
};

struct similar {
    struct strlist messages;
    int64_t last_ms;
};
struct written {
    char *ns, *name; /* owned */
    int64_t count;
    int64_t first_ns;
};
struct bucket_level {
    bool used;
    double tokens;
    int64_t last_ms;
};
struct series {
    char *ns, *name; /* owned */
    int64_t count;
    int64_t last_ns, last_ms;
    int64_t saved_ms, saved_count;
};

/* -- occurrences -- */

static json_t *involved_new(const json_t *object, const char *field_path)
{
    static const char *const fields[][2] = {
        {"kind", "kind"},        {"namespace", "metadata.namespace"}, {"name", "metadata.name"},
        {"uid", "metadata.uid"}, {"apiVersion", "apiVersion"},        {"resourceVersion", "metadata.resourceVersion"},
    };
    json_t *ref = json_object();
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const char *value = jstr(object, fields[i][1]);
        if (!str_empty(value))
            json_object_set_new(ref, fields[i][0], json_string(value));
    }
    if (!str_empty(field_path))
        json_object_set_new(ref, "fieldPath", json_string(field_path));
    return ref;
}

/* What is told comes from containers and programs, too, and need not be UTF-8. Returns new. */
static char *text_of(const struct buf *message, size_t max)
{
    size_t n = message->len < max ? message->len : max;
    while (n > 0 && n < message->len && (message->data[n] & 0xc0) == 0x80)
        n--;
    _auto_json_ json_t *clean = json_string_clean(message->data, n);
    return xstrdup(json_string_value(clean));
}

struct occurrence *occurrence_new(const struct clock *clock, const struct event_source *src, const json_t *object,
                                  const char *field_path, enum event_type type, const char *reason, const char *fmt,
                                  va_list ap)
{
    struct occurrence *oc = xcalloc(1, sizeof *oc);
    _auto_buf_ struct buf message = BUF_INIT;
    buf_addv(&message, fmt, ap);
    oc->component = xstrdup(src->component);
    oc->host = xstrdup(src->host ? src->host : "");
    oc->instance = src->instance ? xstrdup(src->instance) : NULL;
    oc->action = xstrdup(src->action ? src->action : "");
    oc->involved = involved_new(object, field_path);
    oc->related = src->related ? involved_new(src->related, NULL) : NULL;
    oc->annotations = src->annotations ? json_deep_copy(src->annotations) : NULL;
    oc->type = type;
    oc->reason = xstrdup(reason);
    oc->message = text_of(&message, oc->instance ? NOTE_MAX : SIZE_MAX);
    oc->wall_ns = clock_wall_ns(clock);
    oc->mono_ms = clock_mono_ms(clock);
    return oc;
}

void occurrence_free(struct occurrence *oc)
{
    if (!oc)
        return;
    free(oc->component);
    free(oc->host);
    free(oc->instance);
    free(oc->action);
    json_decref(oc->involved);
    json_decref(oc->related);
    json_decref(oc->annotations);
    free(oc->reason);
    free(oc->message);
    free(oc);
}

static const char *type_text(const struct occurrence *oc)
{
    return oc->type == EVENT_WARNING ? "Warning" : "Normal";
}

static const char *event_ns(const struct occurrence *oc)
{
    return jstr_or(oc->involved, "namespace", "default");
}

/* -- the recorder -- */

static void similar_release(void *value)
{
    strlist_release(&((struct similar *)value)->messages);
}

static void written_release(void *value)
{
    struct written *w = value;
    free(w->ns);
    free(w->name);
}

static void series_release(void *value)
{
    struct series *s = value;
    free(s->ns);
    free(s->name);
}

struct recorder *recorder_new(struct registry *r, const struct clock *clock)
{
    struct recorder *rec = xcalloc(1, sizeof *rec);
    rec->registry = r;
    rec->clock = clock;
    rec->similar = memo_new(MEMORY_MAX, sizeof(struct similar), similar_release);
    rec->written = memo_new(MEMORY_MAX, sizeof(struct written), written_release);
    rec->spam = memo_new(MEMORY_MAX, sizeof(struct bucket_level), NULL);
    rec->series = memo_new(MEMORY_MAX, sizeof(struct series), series_release);
    rec->series_due_ms = -1;
    return rec;
}

void recorder_free(struct recorder *rec)
{
    if (!rec)
        return;
    memo_free(rec->similar);
    memo_free(rec->written);
    memo_free(rec->spam);
    memo_free(rec->series);
    free(rec);
}

/* -- keys -- */

static void key_part(struct buf *key, const char *text)
{
    buf_adds(key, text);
    buf_addc(key, '\x1f');
}

/* Source, object and type: what every key begins with. */
static void key_base(struct buf *key, const struct occurrence *oc)
{
    static const char *const fields[] = {"kind", "namespace", "name", "uid", "apiVersion"};
    key_part(key, oc->component);
    key_part(key, oc->host);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        key_part(key, jstr_or(oc->involved, fields[i], ""));
    key_part(key, type_text(oc));
}

/* -- bodies -- */

/* "<object>.<16 hex digits of nanoseconds>"; never the same twice. Returns new. */
static char *name_new(struct recorder *rec, const struct occurrence *oc)
{
    int64_t ns = oc->wall_ns > rec->last_name_ns ? oc->wall_ns : rec->last_name_ns + 1;
    rec->last_name_ns = ns;
    return xasprintf("%s.%" PRIx64, jstr_or(oc->involved, "name", ""), (uint64_t)ns);
}

static json_t *time_json(int64_t wall_ns)
{
    char text[TIME_TEXT_LEN];
    time_format(wall_ns, text);
    return json_string(text);
}

static json_t *microtime_json(int64_t wall_ns)
{
    char text[MICROTIME_TEXT_LEN];
    microtime_format(wall_ns, text);
    return json_string(text);
}

/* Up to and with the message; the forms differ from there on. */
static json_t *body_head(const struct occurrence *oc, const char *name, const char *message)
{
    json_t *ev = json_object();
    jset_str(ev, "kind", "Event");
    jset_str(ev, "apiVersion", "v1");
    jset_str(ev, "metadata.name", name);
    jset_str(ev, "metadata.namespace", event_ns(oc));
    if (oc->annotations)
        jset(ev, "metadata.annotations", json_deep_copy(oc->annotations));
    jset(ev, "involvedObject", json_deep_copy(oc->involved));
    jset_str(ev, "reason", oc->reason);
    jset_str(ev, "message", message);
    return ev;
}

/* The older form. What stands for many does not say who reported it: so it is with the real recorder. */
static json_t *body_counted(const struct occurrence *oc, const struct written *w, const char *message, bool combined)
{
    json_t *ev = body_head(oc, w->name, message);
    jset_str(ev, "source.component", oc->component);
    if (*oc->host)
        jset_str(ev, "source.host", oc->host);
    jset(ev, "firstTimestamp", time_json(w->first_ns));
    jset(ev, "lastTimestamp", time_json(oc->wall_ns));
    jset_int(ev, "count", w->count);
    jset_str(ev, "type", type_text(oc));
    jset(ev, "eventTime", json_null());
    jset_str(ev, "reportingComponent", combined ? "" : oc->component);
    jset_str(ev, "reportingInstance", combined ? "" : oc->host);
    return ev;
}

static json_t *body_series(const struct occurrence *oc, const char *name)
{
    json_t *ev = body_head(oc, name, oc->message);
    jset(ev, "source", json_object());
    jset(ev, "firstTimestamp", json_null());
    jset(ev, "lastTimestamp", json_null());
    jset_str(ev, "type", type_text(oc));
    jset(ev, "eventTime", microtime_json(oc->wall_ns));
    jset_str(ev, "action", oc->action);
    if (oc->related)
        jset(ev, "related", json_incref(oc->related));
    jset_str(ev, "reportingComponent", oc->component);
    jset_str(ev, "reportingInstance", oc->instance);
    return ev;
}

/* An Event that cannot be written (its namespace is going away, say) is not worth more than the attempt. */
static void make_event(struct recorder *rec, const char *component, const char *ns, json_t *take_event)
{
    struct err e = ERR_INIT;
    reg_make(rec->registry, component, RES.events, ns, take_event, NULL, &e);
}

/* -- the older form -- */

struct count_up {
    int64_t count, last_ns;
    const char *message;
};

static int edit_count(json_t *ev, void *arg, struct err *e)
{
    (void)e;
    const struct count_up *up = arg;
    jset_int(ev, "count", up->count);
    jset(ev, "lastTimestamp", time_json(up->last_ns));
    jset_str(ev, "message", up->message);
    return 1;
}

/* Notes the message; true when there have been too many different ones lately. */
static bool too_many_alike(struct recorder *rec, const struct occurrence *oc, const char *key)
{
    struct similar *s = memo_get(rec->similar, key);
    if (oc->mono_ms - s->last_ms > SIMILAR_WINDOW_MS)
        strlist_release(&s->messages);
    s->last_ms = oc->mono_ms;
    if (!strlist_has(&s->messages, oc->message))
        strlist_add(&s->messages, oc->message);
    if (s->messages.len < SIMILAR_MAX)
        return false;
    free(s->messages.items[--s->messages.len]);
    return true;
}

static bool spam_allows(struct recorder *rec, const struct occurrence *oc)
{
    _auto_buf_ struct buf key = BUF_INIT;
    key_base(&key, oc);
    struct bucket_level *b = memo_get(rec->spam, buf_str(&key));
    if (!b->used)
        *b = (struct bucket_level){.used = true, .tokens = SPAM_BURST, .last_ms = oc->mono_ms};
    b->tokens += (double)(oc->mono_ms - b->last_ms) / SPAM_REFILL_MS;
    b->last_ms = oc->mono_ms;
    if (b->tokens > SPAM_BURST)
        b->tokens = SPAM_BURST;
    if (b->tokens < 1)
        return false;
    b->tokens -= 1;
    return true;
}

/* Counts the event, under the key of what it stands for. */
static struct written *observe(struct recorder *rec, const struct occurrence *oc, const char *key)
{
    struct written *w = memo_get(rec->written, key);
    if (!w->name) {
        w->ns = xstrdup(event_ns(oc));
        w->name = name_new(rec, oc);
        w->first_ns = oc->wall_ns;
    }
    w->count++;
    return w;
}

static void write_counted(struct recorder *rec, const struct occurrence *oc)
{
    _auto_buf_ struct buf key = BUF_INIT;
    key_base(&key, oc);
    key_part(&key, oc->reason);
    bool combined = too_many_alike(rec, oc, buf_str(&key));
    if (!combined) {
        key_part(&key, jstr_or(oc->involved, "fieldPath", ""));
        key_part(&key, oc->message);
    }
    struct written *w = observe(rec, oc, buf_str(&key));
    if (!spam_allows(rec, oc))
        return;
    _auto_free_ char *message = xasprintf("%s%s", combined ? "(combined from similar events): " : "", oc->message);
    if (w->count > 1) {
        struct err e = ERR_INIT;
        struct count_up up = {w->count, oc->wall_ns, message};
        int rc = reg_modify(rec->registry, oc->component, RES.events, w->ns, w->name, "", edit_count, &up, &e);
        if (rc >= 0 || e.code != ERR_NOT_FOUND)
            return;
    }
    make_event(rec, oc->component, w->ns, body_counted(oc, w, message, combined));
}

/* -- the newer form -- */

static int edit_series(json_t *ev, void *arg, struct err *e)
{
    (void)e;
    const struct series *s = arg;
    jset_int(ev, "series.count", s->count);
    jset(ev, "series.lastObservedTime", microtime_json(s->last_ns));
    return 1;
}

static void series_save(struct recorder *rec, struct series *s, int64_t now_ms)
{
    struct err e = ERR_INIT;
    reg_modify(rec->registry, "events", RES.events, s->ns, s->name, "", edit_series, s, &e);
    s->saved_count = s->count;
    s->saved_ms = now_ms;
}

static void series_schedule(struct recorder *rec, int64_t due_ms)
{
    if (rec->series_due_ms < 0 || due_ms < rec->series_due_ms)
        rec->series_due_ms = due_ms;
}

static void write_series(struct recorder *rec, const struct occurrence *oc)
{
    _auto_buf_ struct buf key = BUF_INIT;
    key_base(&key, oc);
    key_part(&key, jstr_or(oc->involved, "fieldPath", ""));
    key_part(&key, jstr_or(oc->involved, "resourceVersion", ""));
    key_part(&key, oc->action);
    key_part(&key, oc->reason);
    key_part(&key, oc->instance);
    struct series *s = memo_find(rec->series, buf_str(&key));
    if (s && oc->mono_ms - s->last_ms > SERIES_REST_MS) {
        memo_drop(rec->series, buf_str(&key));
        s = NULL;
    }
    bool fresh = !s;
    if (fresh) {
        s = memo_get(rec->series, buf_str(&key));
        s->ns = xstrdup(event_ns(oc));
        s->name = name_new(rec, oc);
        s->saved_count = 1;
        make_event(rec, oc->component, s->ns, body_series(oc, s->name));
    }
    s->count++;
    s->last_ns = oc->wall_ns;
    s->last_ms = oc->mono_ms;
    if (s->count == 2 || (!fresh && oc->mono_ms - s->saved_ms > SERIES_REFRESH_MS))
        series_save(rec, s, oc->mono_ms);
    if (s->saved_count < s->count)
        series_schedule(rec, s->last_ms + SERIES_REST_MS);
}

struct resting {
    struct recorder *rec;
    int64_t now_ms;
};

static int series_rest(const char *key, void *value, void *arg)
{
    (void)key;
    const struct resting *r = arg;
    struct series *s = value;
    bool rests = r->now_ms - s->last_ms >= SERIES_REST_MS;
    bool unsaved = s->saved_count < s->count;
    if (rests && unsaved)
        series_save(r->rec, s, r->now_ms);
    if (!rests && unsaved)
        series_schedule(r->rec, s->last_ms + SERIES_REST_MS);
    return rests;
}

void recorder_tick(struct recorder *rec)
{
    int64_t now = clock_mono_ms(rec->clock);
    if (rec->series_due_ms < 0 || rec->series_due_ms > now)
        return;
    rec->series_due_ms = -1;
    struct resting r = {rec, now};
    memo_each(rec->series, series_rest, &r);
}

int64_t recorder_due(const struct recorder *rec)
{
    return rec->series_due_ms;
}

void recorder_write(struct recorder *rec, const struct occurrence *oc)
{
    if (oc->instance)
        write_series(rec, oc);
    else
        write_counted(rec, oc);
}
