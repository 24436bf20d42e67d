/* requests_clock.c - the control socket's answer about the cluster's clock: what `stowage clock` asks. */
#include "app/requests_int.h"

#include "base/json.h"
#include "base/mem.h"

static int op_clock(struct cluster *c, const json_t *request, json_t **out, int fds[4] _unused_, struct err *e)
{
    int64_t ns = jint(request, "forward", 0), ahead;
    if (ns && cluster_clock_forward(c, ns, e) < 0)
        return -1;
    int64_t speed = cluster_clock_speed(c, jint(request, "speed", 0), e);
    if (speed < 0)
        return -1;
    char now[TIME_TEXT_LEN];
    time_format(clock_wall_ns(cluster_clock(c, &ahead)), now);
    *out = json_pack("{s:s, s:I, s:I}", "now", now, "ahead", (json_int_t)ahead, "speed", (json_int_t)speed);
    return 0;
}

const struct request_op clock_request_ops[] = {{"clock", op_clock}, {NULL, NULL}};
