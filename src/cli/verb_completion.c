/* verb_completion.c - `stowage completion bash|zsh|fish`, made from the table of verbs. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/verbs_int.h"

#include <stdio.h>
#include <string.h>

/* Prints each --flag found in a help text, blank-separated. */
static void print_flags(const char *help)
{
    for (const char *p = help; (p = strstr(p, "--"));) {
        size_t n = 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");
        if (n > 2)
            printf("%.*s ", (int)n, p);
        p += n;
    }
    fputs("--help", stdout);
}

static void bash(void)
{
    fputs("_stowage() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words\n    case ${COMP_WORDS[1]} in\n", stdout);
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++) {
        printf("    %s) words=\"", (*v)->name);
        print_flags((*v)->help);
        puts("\" ;;");
    }
    fputs("    esac\n    [ \"$COMP_CWORD\" = 1 ] && words=\"", stdout);
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        printf("%s ", (*v)->name);
    puts("help\"\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _stowage stowage");
}

static void zsh(void)
{
    puts("#compdef stowage\nlocal -a verbs=(");
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        printf("    '%s:%s'\n", (*v)->name, (*v)->summary);
    puts(")\nif (( CURRENT == 2 )); then _describe verb verbs; return; fi\ncase $words[2] in");
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++) {
        printf("%s) compadd -- ", (*v)->name);
        print_flags((*v)->help);
        puts(" ;;");
    }
    puts("esac");
}

static void fish(void)
{
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        printf("complete -c stowage -n __fish_use_subcommand -a %s -d '%s'\n", (*v)->name, (*v)->summary);
}

static int completion_run(const struct cli *cli _unused_, int argc, char **argv, struct err *e)
{
    static const struct {
        const char *name;
        void (*print)(void);
    } shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; argc == 2 && i < ARRAY_LEN(shells); i++) {
        if (str_eq(argv[1], shells[i].name)) {
            shells[i].print();
            return 0;
        }
    }
    return cli_usage(e, "completion", "which shell: bash, zsh or fish?");
}

const struct cli_verb verb_completion = {
    .name = "completion",
    .summary = "print shell completion for bash, zsh or fish",
    .help = "usage: stowage completion bash|zsh|fish\n\n"
            "  bash: stowage completion bash > /etc/bash_completion.d/stowage\n"
            "  zsh:  stowage completion zsh > \"${fpath[1]}/_stowage\"\n"
            "  fish: stowage completion fish > ~/.config/fish/completions/stowage.fish\n",
    .run = completion_run,
};
