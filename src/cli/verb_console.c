/* verb_console.c - `stowage console`: a link that signs you in to the web console, and opens it where there is a
 * desktop. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/local.h"
#include "cli/verbs_int.h"

#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static int console_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    static const struct option options[] = {{"data", required_argument, NULL, 'd'},
                                            {"no-open", no_argument, NULL, 'n'},
                                            {"view", required_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    const char *data = NULL, *view = "";
    bool desktop = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
    opterr = 0;
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (opt == 'd')
            data = optarg;
        else if (opt == 'v')
            view = optarg;
        else if (opt == 'n')
            desktop = false;
        else
            return cli_usage(e, "console", "unknown flag or missing value");
    }
    if (optind < argc)
        return cli_usage(e, "console", "what is %s?", argv[optind]);
    _auto_free_ char *dir = cli_data_dir(data);
    _auto_json_ json_t *request = json_pack("{s:s, s:s}", "op", "console", "view", view);
    _auto_json_ json_t *answer = NULL;
    if (local_call(dir, request, &answer, NULL, e) < 0)
        return -1;
    const char *url = jstr_or(answer, "url", "");
    printf("%s\n", url);
    fprintf(stderr, "The link signs you in as the administrator: once, and within five minutes.\n");
    if (desktop)
        open_browser(url);
    return 0;
}

const struct cli_verb verb_console = {
    .name = "console",
    .summary = "the cluster in a browser: a link that signs you in",
    .help = "usage: stowage console [--data DIR] [--no-open] [--view NAME]\n\n"
            "Prints a link to the web console of the cluster, and opens it where there is a desktop. The link is good "
            "for one\nbrowser, within five minutes; the session it begins ends after twelve hours. The console listens "
            "on 127.0.0.1 only.\n\n"
            "  --view NAME   the page it leads to: resources, terminals, disks, timeline, labs (the map)\n",
    .run = console_run,
};
