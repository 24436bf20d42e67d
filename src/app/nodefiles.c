/* nodefiles.c - see nodefiles.h. The files lie on the node's own filesystem, never on the user's. */
#include "app/nodefiles.h"

#include "base/buf.h"
#include "base/mem.h"
#include "kubeletsim/kubelet.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int write_one(struct machine *m, const char *node, const char *dir, const char *name, const struct buf *text,
                     struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    _auto_close_ int fd = -1;
    if (m->ops->mkdir_p(m, node, dir, 0700, e) < 0 ||
        m->ops->open(m, node, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600, &fd, e) < 0)
        return -1;
    if (write(fd, text->data, text->len) != (ssize_t)text->len)
        return err_sys(e, errno, "write %s on node %s", path, node);
    return 0;
}

int nodefiles_write(struct machine *m, int nodes, const struct kubeconfig *k, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    kubeconfig_text(k, &text);
    for (int i = 0; i < nodes; i++) {
        char node[64];
        kubelet_node_name(i, node);
        if (write_one(m, node, "/etc/kubernetes", "admin.conf", &text, e) < 0 ||
            write_one(m, node, "/root/.kube", "config", &text, e) < 0)
            return -1;
    }
    return 0;
}
