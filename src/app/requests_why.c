/* requests_why.c - the control socket's answer to `stowage why`: in a file beside the packet, since ten thousand
 * volumes under eight rules each are more than a packet holds. */
#include "app/requests_int.h"
#include "app/why.h"

#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static int op_why(struct cluster *c, const json_t *request, json_t **out, int fds[4], struct err *e)
{
    _auto_json_ json_t *told = NULL;
    if (why_explain(cluster_registry(c), jstr_or(request, "kind", ""), jstr_or(request, "namespace", "default"),
                    jstr_or(request, "name", ""), &told, e) < 0)
        return -1;
    _auto_close_ int fd = memfd_create("why", MFD_CLOEXEC);
    if (fd < 0 || json_dumpfd(told, fd, JSON_COMPACT) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(e, errno, "the explanation");
    fds[0] = TAKE_FD(fd);
    *out = json_object();
    return 0;
}

const struct request_op why_request_ops[] = {{"why", op_why}, {NULL, NULL}};
