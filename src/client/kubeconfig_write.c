/* kubeconfig_write.c - a file with just one cluster, user and context: for programs that we start for it. It is JSON,
 * which every reader of kubeconfigs takes for the YAML it is. THREADS: any. */
#include "client/kubeconfig.h"

#include "api/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void put(json_t *to, const char *member, const char *value)
{
    if (value)
        json_object_set_new(to, member, json_string(value));
}

static void put_data(json_t *to, const char *member, const char *pem)
{
    _auto_buf_ struct buf coded = BUF_INIT;
    if (!pem)
        return;
    base64_encode(pem, strlen(pem), &coded);
    put(to, member, buf_str(&coded));
}

static json_t *named(const char *name, const char *member, json_t *take_value)
{
    return json_pack("[{s:s, s:o}]", "name", name, member, take_value);
}

/* Returns new. */
static json_t *config_of(const struct access *a)
{
    const char *name = str_empty(a->context) ? "stowage" : a->context;
    json_t *cluster = json_object(), *user = json_object();
    put(cluster, "server", a->url);
    put(cluster, "tls-server-name", a->server_name);
    put_data(cluster, "certificate-authority-data", a->ca_pem);
    if (a->insecure)
        json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
    put(user, "token", a->token);
    put_data(user, "client-certificate-data", a->cert_pem);
    put_data(user, "client-key-data", a->key_pem);
    json_t *context = json_pack("{s:s, s:s, s:s}", "cluster", name, "user", name, "namespace", a->ns);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "apiVersion", "v1", "kind", "Config", "current-context", name,
                     "clusters", named(name, "cluster", cluster), "users", named(name, "user", user), "contexts",
                     named(name, "context", context));
}

char *access_text(const struct access *a)
{
    _auto_json_ json_t *config = config_of(a);
    return json_text(config);
}

int access_save(const struct access *a, const char *path, struct err *e)
{
    _auto_free_ char *fresh = xasprintf("%s.new", path);
    _auto_json_ json_t *config = config_of(a);
    _auto_close_ int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || json_dumpfd(config, fd, JSON_COMPACT) < 0 || rename(fresh, path) < 0)
        return err_sys(e, errno, "write %s", path);
    return 0;
}
