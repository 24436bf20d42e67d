/* session_log.c - see session_log.h. A record is one write to a file opened for appending, so that two prompts of one
 * lab do not mix their lines. */
#include "cli/session_log.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *session_log_path(const char *home)
{
    return xasprintf("%s/session.jsonl", home);
}

int session_log_add(const char *path, const struct session_record *r, struct err *e)
{
    const time_t seconds = (time_t)r->time;
    struct tm when;
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &when));
    _auto_json_ json_t *row =
        json_pack("{s:I, s:s, s:s, s:I, s:s, s:s, s:i}", "attempt", (json_int_t)r->attempt, "lab", r->lab, "time",
                  stamp, "step", (json_int_t)r->step, "namespace", r->ns, "line", r->line, "exit", r->exit);
    _auto_buf_ struct buf text = BUF_INIT;
    if (!row)
        return err_set(e, ERR_BAD_REQUEST, "%s: a line that is no UTF-8 is not recorded", path);
    if (json_object_size(r->files))
        json_object_set(row, "files", (json_t *)(uintptr_t)r->files);
    json_write(&text, row);
    buf_addc(&text, '\n');
    _auto_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
        return err_sys(e, errno, "%s", path);
    return 0;
}

json_t *session_log_read(const char *path, int64_t attempt, struct err *e)
{
    _auto_file_ FILE *f = fopen(path, "re");
    _auto_json_ json_t *rows = json_array();
    _auto_free_ char *text = NULL;
    size_t cap = 0;
    if (!f && errno != ENOENT) {
        err_sys(e, errno, "%s", path);
        return NULL;
    }
    for (ssize_t n; f && (n = getline(&text, &cap, f)) > 0;) {
        _auto_json_ json_t *row = json_loadb(text, (size_t)n, 0, NULL);
        if (row && jint(row, "attempt", -1) == attempt)
            json_array_append(rows, row);
    }
    return TAKE(rows);
}
