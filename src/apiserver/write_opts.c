/* write_opts.c - the query parameters of writes, checked as the real server checks CreateOptions, UpdateOptions and
 * PatchOptions.
 *
 * Source: apimachinery apis/meta/v1/validation/validation.go.
 * THREADS: pure. */
#include "apiserver/reply_int.h"
#include "apiserver/write_int.h"

#include "api/status.h"
#include "base/mem.h"

#include <string.h>

enum { MANAGER_MAX = 128 };

static void check_manager(const char *m, struct field_errors *errs)
{
    if (strlen(m) > MANAGER_MAX)
        fe_too_long(errs, "fieldManager", MANAGER_MAX);
    uint32_t c = 0;
    bool printable = true;
    for (size_t i = 0, len = strlen(m); i < len;) {
        size_t n = utf8_next(m + i, len - i, &c, &printable);
        if (!printable) {
            char why[64];
            snprintf(why, sizeof why, "invalid character U+%04X (at position %zu)", c, i);
            fe_invalid_str(errs, "fieldManager", m, why);
        }
        i += n;
    }
}

static void check_dry_run(struct request *rq, struct field_errors *errs)
{
    static const char *const all = "All";
    _auto_buf_ struct buf given = BUF_INIT;
    bool bad = false;
    const char *v;
    buf_adds(&given, "[]string{");
    for (size_t i = 0; (v = query_nth(&rq->query, "dryRun", i)); i++) {
        bad |= strcmp(v, all) != 0;
        buf_adds(&given, i ? ", " : "");
        buf_add_quoted(&given, v, strlen(v));
    }
    buf_addc(&given, '}');
    if (bad)
        fe_add(errs, FE_NOT_SUPPORTED, "dryRun", buf_str(&given), "supported values: \"All\"");
}

static void check_validation(struct request *rq, struct field_errors *errs)
{
    static const char *const known[] = {"", "Ignore", "Strict", "Warn", NULL};
    const char *v = query_get(&rq->query, "fieldValidation");
    for (const char *const *k = known; *k; k++)
        if (str_eq(v ? v : "", *k))
            return;
    fe_not_supported(errs, "fieldValidation", v, known);
}

bool write_options_ok(struct request *rq, enum write_kind kind)
{
    static const char *const names[] = {"CreateOptions", "UpdateOptions", "PatchOptions", "PatchOptions"};
    _auto_field_errors_ struct field_errors errs = {0};
    const char *manager = query_get(&rq->query, "fieldManager");
    if (kind == WRITE_PATCH && query_get(&rq->query, "force"))
        fe_forbidden(&errs, "force", "may not be specified for non-apply patch");
    if (kind == WRITE_APPLY && str_empty(manager))
        fe_required(&errs, "fieldManager", "is required for apply patch");
    check_manager(manager ? manager : "", &errs);
    check_dry_run(rq, &errs);
    check_validation(rq, &errs);
    if (!errs.len)
        return true;
    reply_status(rq, status_invalid("meta.k8s.io", names[kind], "", &errs));
    return false;
}
