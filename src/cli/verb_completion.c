/* verb_completion.c - `stowage completion bash|zsh|fish`, made from the table of verbs. */
#include "base/mem.h"
#include "base/str.h"
#include "cli/verbs_int.h"

#include <stdio.h>
#include <string.h>

/* Each --flag found in a help text, once. */
static void flags_of(const struct cli_verb *v, struct strlist *out)
{
    for (const char *p = v->help; (p = strstr(p, "--"));) {
        const size_t n = 2 + strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");
        _auto_free_ char *flag = xstrndup(p, n);
        if (n > 2 && !strlist_has(out, flag))
            strlist_add(out, flag);
        p += n;
    }
    if (!strlist_has(out, "--help"))
        strlist_add(out, "--help");
}

/* Blank-separated. */
static void print_flags(const struct cli_verb *v)
{
    _auto_strlist_ struct strlist flags = {0};
    flags_of(v, &flags);
    for (size_t i = 0; i < flags.len; i++)
        printf("%s%s", i ? " " : "", flags.items[i]);
}

static const char *words_of(const struct cli_verb *v)
{
    return v->words ? v->words : "";
}

static void bash(void)
{
    fputs("_stowage() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words= flags=\n    case ${COMP_WORDS[1]} in\n",
          stdout);
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++) {
        printf("    %s) words=\"%s\" flags=\"", (*v)->name, words_of(*v));
        print_flags(*v);
        puts("\" ;;");
    }
    fputs("    esac\n    [ \"$COMP_CWORD\" = 2 ] || words=\n    [ \"$COMP_CWORD\" = 1 ] && flags= words=\"", stdout);
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        printf("%s ", (*v)->name);
    puts("help\"\n    COMPREPLY=($(compgen -W \"$words $flags\" -- \"$cur\"))\n}\n"
         "complete -o default -F _stowage stowage");
}

static void zsh(void)
{
    puts("#compdef stowage\nlocal -a verbs=(");
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        printf("    '%s:%s'\n", (*v)->name, (*v)->summary);
    puts(")\nif (( CURRENT == 2 )); then _describe verb verbs; return; fi\ncase $words[2] in");
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++) {
        printf("%s) ", (*v)->name);
        if ((*v)->words)
            printf("(( CURRENT == 3 )) && compadd -- %s; ", (*v)->words);
        fputs("compadd -- ", stdout);
        print_flags(*v);
        puts(" ;;");
    }
    puts("esac");
}

static void fish_verb(const struct cli_verb *v)
{
    _auto_strlist_ struct strlist flags = {0};
    printf("complete -c stowage -n __fish_use_subcommand -a %s -d \"%s\"\n", v->name, v->summary);
    if (v->words)
        printf("complete -c stowage -n \"__fish_seen_subcommand_from %s\" -a \"%s\"\n", v->name, v->words);
    flags_of(v, &flags);
    for (size_t i = 0; i < flags.len; i++)
        printf("complete -c stowage -n \"__fish_seen_subcommand_from %s\" -l %s\n", v->name, flags.items[i] + 2);
}

static void fish(void)
{
    for (const struct cli_verb *const *v = cli_verbs(); *v; v++)
        fish_verb(*v);
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
    .words = "bash zsh fish",
    .summary = "print shell completion for bash, zsh or fish",
    .help = "usage: stowage completion bash|zsh|fish\n\n"
            "  bash: stowage completion bash > /etc/bash_completion.d/stowage\n"
            "  zsh:  stowage completion zsh > \"${fpath[1]}/_stowage\"\n"
            "  fish: stowage completion fish > ~/.config/fish/completions/stowage.fish\n",
    .run = completion_run,
};
