/* zones.c - see zones.h. Kept in <data>/zones.json: {"zones": "us-east-1a,us-east-1b"}, or "" for the default. */
#include "app/zones.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char *file_of(const char *data_dir)
{
    return xasprintf("%s/zones.json", data_dir);
}

int zones_find(const char *data_dir, const char *given, char **out, struct err *e)
{
    _auto_free_ char *path = file_of(data_dir);
    _auto_json_ json_t *kept = json_load_file(path, 0, NULL);
    const char *zones = jstr(kept, "zones");
    if (zones && given && !str_eq(zones, given))
        return err_set(e, ERR_CONFLICT, "--zones %s: the nodes of %s are in %s, and stay there", given, data_dir,
                       *zones ? zones : "those of the default");
    zones = zones ? zones : given;
    *out = str_empty(zones) ? NULL : xstrdup(zones);
    return 0;
}

int zones_keep(const char *data_dir, const char *zones, struct err *e)
{
    _auto_free_ char *path = file_of(data_dir), *fresh = xasprintf("%s.new", path);
    _auto_json_ json_t *now = json_pack("{s:s}", "zones", zones ? zones : "");
    if (access(path, F_OK) == 0)
        return 0;
    if (json_dump_file(now, fresh, JSON_COMPACT) < 0 || rename(fresh, path) < 0)
        return err_sys(e, errno, "write %s", path);
    return 0;
}
