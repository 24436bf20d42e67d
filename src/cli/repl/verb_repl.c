/* verb_repl.c - `stowage repl`: a prompt for a cluster, or a script for it.
 *
 * DESIGN: signals become readable descriptors: Ctrl-C makes the event descriptor readable, which every wait of the
 * session and of its client watches; the others do the same and say that this is the end. See session_int.h. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/repl/session_int.h"
#include "cli/verbs_int.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int signalled = -1;
static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
    const int saved = errno;
    const uint64_t one = 1;
    if (signal != SIGINT)
        ended = 1;
    const ssize_t n = write(signalled, &one, sizeof one);
    (void)n;
    errno = saved;
}

static void catch_signals(int event)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    signalled = event;
    for (size_t i = 0; i < ARRAY_LEN(caught); i++)
        sigaction(caught[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
    signal(SIGPIPE, SIG_IGN);
}

enum { OPT_DATA = 256, OPT_KUBECONFIG, OPT_CONTEXT, OPT_PROFILE, OPT_NODES };
static const struct option options[] = {
    {"data", required_argument, NULL, OPT_DATA},       {"kubeconfig", required_argument, NULL, OPT_KUBECONFIG},
    {"context", required_argument, NULL, OPT_CONTEXT}, {"namespace", required_argument, NULL, 'n'},
    {"profile", required_argument, NULL, OPT_PROFILE}, {"nodes", required_argument, NULL, OPT_NODES},
    {"command", required_argument, NULL, 'c'},         {NULL, 0, NULL, 0},
};

static int parse(struct session *s, const char **out_command, int argc, char **argv, struct err *e)
{
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "+c:en:", options, NULL)) != -1;) {
        int64_t n;
        switch (opt) {
        case OPT_DATA:
            s->data_given = optarg;
            break;
        case OPT_KUBECONFIG:
            s->kubeconfig = optarg;
            break;
        case OPT_CONTEXT:
            s->context = optarg;
            break;
        case OPT_PROFILE:
            s->profile = optarg;
            break;
        case OPT_NODES:
            if (!str_to_i64(optarg, &n) || n < 1 || n > 16)
                return cli_usage(e, "repl", "--nodes %s: 1 to 16", optarg);
            s->nodes = (int)n;
            break;
        case 'n':
            s->ns_given = optarg;
            break;
        case 'c':
            *out_command = optarg;
            break;
        case 'e':
            s->stop_at_failure = true;
            break;
        default:
            return cli_usage(e, "repl", "unknown flag or missing value");
        }
    }
    if (optind + 1 < argc || (optind < argc && *out_command))
        return cli_usage(e, "repl", "one script, or one -c COMMAND");
    return 0;
}

/* Where lines come from; *out NULL: the terminal. */
static int open_script(const char *command, const char *path, FILE **out, struct err *e)
{
    FILE *f = NULL;
    if (command)
        f = fmemopen((void *)(uintptr_t)command, strlen(command), "r");
    else if (path)
        f = fopen(path, "re");
    else if (!isatty(STDIN_FILENO))
        f = stdin;
    if (!f && (path || (command && *command)))
        return err_sys(e, errno, "%s", path ? path : "-c");
    *out = f;
    return 0;
}

static void greet(const struct session *s)
{
    if (s->own.up)
        printf("A cluster of your own: it ends with this prompt. ");
    else
        printf("Cluster %s. ", s->label);
    printf("`help` lists what can be typed, Tab completes, Ctrl-D ends.\n");
    fflush(stdout);
}

static int run(struct session *s, FILE *script, struct err *e)
{
    _auto_free_ char *store = script ? NULL : state_path("repl_history");
    const char *no_colour = getenv("NO_COLOR");
    s->interactive = !script;
    s->colour = isatty(STDOUT_FILENO) && str_empty(no_colour);
    if (session_open(s, e) < 0)
        return -1;
    offer_kubectl(s);
    const struct line_conf conf = {script, store, s->cancel, session_complete, s};
    s->line = line_new(&conf);
    if (s->interactive)
        greet(s);
    return session_loop(s);
}

static int repl_run(const struct cli *cli, int argc, char **argv, struct err *e)
{
    struct session s = {.cli = cli, .profile = "eks", .nodes = 2, .cancel = -1, .ended = &ended};
    const char *command = NULL;
    FILE *script = NULL;
    if (parse(&s, &command, argc, argv, e) < 0 ||
        open_script(command, optind < argc ? argv[optind] : NULL, &script, e) < 0)
        return -1;
    if (command && !*command)
        return 0;
    _auto_close_ int cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s.cancel = cancel;
    catch_signals(cancel);
    const int code = run(&s, script, e);
    session_close(&s);
    if (script && script != stdin)
        fclose(script);
    return code;
}

const struct cli_verb verb_repl = {
    .name = "repl",
    .summary = "a prompt for a cluster: kubectl's verbs, stowage's words, completion",
    .help =
        "usage: stowage repl [FLAGS] [SCRIPT | -c COMMAND]\n\n"
        "A prompt that speaks kubectl without the word kubectl (which needs not be installed), and stowage's own "
        "words:\n"
        "why, disk, node, image, clock, lab, check, hint… `help` there lists them all. Alone it starts a cluster that "
        "ends\n"
        "with it; if a lab is under way or a cluster runs in the data directory, it is that one's prompt.\n"
        "With a script, from a file or standard input, it runs it; the exit code is that of the last command.\n\n"
        "  -c, --command TEXT   run this\n"
        "  -e                   end at the first command that fails, with its exit code\n"
        "  -n, --namespace NS   begin in this namespace\n"
        "  --data DIR           the data directory whose cluster is meant\n"
        "  --kubeconfig FILE, --context NAME   any cluster\n"
        "  --profile NAME, --nodes N           for a cluster of its own (eks, 2)\n\n"
        "Lines: quotes, $X, $(command), > >> < << | && || ; & and # as in a shell; !COMMAND is for your shell, and so "
        "is\n"
        "what follows a pipe. A pasted manifest is applied; one that is typed ends with a line ---end or Ctrl-D.\n"
        "What was typed is kept in $XDG_STATE_HOME/stowage/repl_history, but no line that begins with a blank or holds "
        "a\n"
        "secret's literal. While a lab is under way, all lines are recorded beside it for `stowage lab submit`.\n",
    .run = repl_run,
};
