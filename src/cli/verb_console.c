/* verb_console.c - `stowage console`: a link that signs you in to the web console, and opens it where there is a
 * desktop. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/console_link.h"
#include "cli/local.h"
#include "cli/verbs_int.h"
#include "lab/fields.h"

#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINK_MS     (5 * 60 * 1000)
#define LINK_MAX_MS (INT64_C(24) * 60 * 60 * 1000)

extern char **environ;

/* Nobody waits for it; if there is no such program, the link has been printed. */
static void open_browser(const char *url)
{
    char *const argv[] = {"xdg-open", (char *)(uintptr_t)url, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid;
    posix_spawn_file_actions_init(&files);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
}

char *console_link(const char *data, const struct link_wish *wish, struct err *e)
{
    _auto_json_ json_t *request = json_pack("{s:s, s:s, s:b, s:I}", "op", "console", "view", wish->view, "viewer",
                                            wish->viewer, "seconds", (json_int_t)wish->seconds);
    _auto_json_ json_t *answer = NULL;
    return local_call(data, request, &answer, NULL, e) < 0 ? NULL : xstrdup(jstr_or(answer, "url", ""));
}

static int console_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'd'}, {"no-open", no_argument, NULL, 'n'},
        {"view", required_argument, NULL, 'v'}, {"read-only", no_argument, NULL, 'r'},
        {"for", required_argument, NULL, 'f'},  {NULL, 0, NULL, 0}};
    const char *data = NULL;
    struct link_wish wish = {.view = ""};
    int64_t ms = LINK_MS;
    bool desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (opt == 'd')
            data = optarg;
        else if (opt == 'v')
            wish.view = optarg;
        else if (opt == 'n')
            desktop = false;
        else if (opt == 'r')
            wish.viewer = true;
        else if (opt == 'f' && duration_parse(optarg, &ms) && ms >= 1000 && ms <= LINK_MAX_MS)
            continue;
        else
            return cli_usage(e, "console", "unknown flag or missing value");
    }
    if (optind < argc)
        return cli_usage(e, "console", "what is %s?", argv[optind]);
    _auto_free_ char *dir = cli_data_dir(data);
    wish.seconds = ms / 1000;
    _auto_free_ char *url = console_link(dir, &wish, e);
    if (!url)
        return -1;
    printf("%s\n", url);
    fprintf(stderr, "The link signs you in %s: once, and within %lld minutes.\n",
            wish.viewer ? "to look, not to change" : "as the administrator", (long long)(ms + 59999) / 60000);
    if (desktop)
        open_browser(url);
    return 0;
}

const struct cli_verb verb_console = {
    .name = "console",
    .summary = "the cluster in a browser: a link that signs you in",
    .help = "usage: stowage console [--data DIR] [--no-open] [--view NAME] [--read-only] [--for TIME]\n\n"
            "Prints a link to the web console of the cluster, and opens it where there is a desktop. The link is good "
            "for one\nbrowser, within five minutes (--for); the session it begins ends after twelve hours. The console "
            "listens on\n127.0.0.1 only.\n\n"
            "  --view NAME   the page it leads to: resources, terminals, disks, timeline, labs (the map)\n"
            "  --read-only   for somebody who looks and changes nothing: the user stowage:viewer, bound to the role "
            "view\n"
            "                and to what a storage map shows; no secrets, no terminals\n"
            "  --for TIME    so long the link is good, at most 24h (5m)\n",
    .run = console_run,
};
