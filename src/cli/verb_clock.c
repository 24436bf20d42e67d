/* verb_clock.c - `stowage clock`: what time the cluster has, moving it forward, making it go faster. */
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <stdio.h>
#include <unistd.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

/* "90s", "6m", "1h30m"; -1 if it is none. */
static int64_t duration_ns(const char *s)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t sum = 0;
    if (!*s)
        return -1;
    while (*s) {
        char *end;
        long n = *s >= '0' && *s <= '9' ? strtol(s, &end, 10) : -1;
        size_t u = 0;
        while (n >= 0 && u < ARRAY_LEN(units) && units[u].unit != *end)
            u++;
        if (n < 0 || n > 1000000 || u == ARRAY_LEN(units))
            return -1;
        sum += n * units[u].seconds * SECOND_NS;
        s = end + 1;
    }
    return sum;
}

static void print_clock(const json_t *answer)
{
    int64_t ahead = jint(answer, "ahead", 0) / SECOND_NS;
    printf("%s", jstr_or(answer, "now", "?"));
    if (ahead)
        printf(" (%lldh%02lldm%02llds ahead of this machine)", (long long)(ahead / 3600), (long long)(ahead / 60 % 60),
               (long long)(ahead % 60));
    if (jint(answer, "speed", 1) > 1)
        printf(", %lld times as fast", (long long)jint(answer, "speed", 1));
    putchar('\n');
}

/* "forward 6m", "speed 60". */
static int parse_move(int argc, char **argv, int64_t *out_ns, uint64_t *out_speed, struct err *e)
{
    bool forward = str_eq(argv[0], "forward"), speed = str_eq(argv[0], "speed");
    if ((!forward && !speed) || argc != 2)
        return cli_usage(e, "clock", "forward by how much, as in `stowage clock forward 6m`, or speed 60?");
    if (forward && (*out_ns = duration_ns(argv[1])) <= 0)
        return cli_usage(e, "clock", "%s is no duration such as 90s, 6m or 1h30m", argv[1]);
    if (speed && (!str_to_u64(argv[1], out_speed) || *out_speed < 1 || *out_speed > 1000))
        return cli_usage(e, "clock", "speed %s: 1 to 1000", argv[1]);
    return 0;
}

static int clock_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    int64_t ns = 0;
    uint64_t speed = 0;
    _auto_free_ char *dir = cli_data_flag("clock", false, argc, argv, e);
    if (!dir)
        return -1;
    if (optind < argc && parse_move(argc - optind, argv + optind, &ns, &speed, e) < 0)
        return -1;
    _auto_json_ json_t *request =
        json_pack("{s:s, s:I, s:I}", "op", "clock", "forward", (json_int_t)ns, "speed", (json_int_t)speed);
    _auto_json_ json_t *answer = NULL;
    if (local_call(dir, request, &answer, NULL, e) < 0)
        return -1;
    print_clock(answer);
    return 0;
}

const struct cli_verb verb_clock = {
    .name = "clock",
    .words = "forward speed",
    .summary = "the cluster's time; `clock forward 6m` makes what is waited for happen now, `clock speed 60` sooner",
    .help =
        "usage: stowage clock [--data DIR] [forward DURATION | speed TIMES]\n\n"
        "The cluster has a clock of its own. Moved forward (90s, 6m, 1h30m; at most 24h at once) everything that "
        "waits\n"
        "falls due in its order: back-offs, tolerations, the six minutes before a volume is taken from a lost node,\n"
        "ages that kubectl shows. With speed 60 a minute of the cluster takes a second, until speed 1 or the cluster's "
        "end.\n"
        "Nodes keep their heartbeat meanwhile. It never goes back, not at a restart either;\n"
        "processes in pods see this machine's time.\n",
    .run = clock_run,
};
