/* completion.c - kubectl completion: what a shell sources so that Tab knows verbs, flags, kinds and names.
 *
 * The scripts only ask `kubectl __complete` (complete.c) and show what it answers; they serve `k`, too. The real
 * kubectl's own script asks in the same way, so one that is installed already works with this program. */
#include "kubectl/verbs/verbs_int.h"

#include "base/str.h"
#include "kubectl/call.h"

static const char bash[] =
    "# bash completion for kubectl\n"
    "__kubectl_complete() {\n"
    "    local line directive=0 cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :*) directive=${line#:} ;;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    # bash has taken apart what has a colon or an equals sign\n"
    "    case $cur in\n"
    "    *[:=]*) COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*[:=]}\"}\"}\") ;;\n"
    "    esac\n"
    "    if ((directive & 2)); then compopt -o nospace; fi\n"
    "    if ((!(directive & 4))) && ((${#COMPREPLY[@]} == 0)); then compopt -o default; fi\n"
    "}\n"
    "complete -F __kubectl_complete kubectl k\n";

static const char zsh[] =
    "#compdef kubectl k\n"
    "__kubectl_complete() {\n"
    "    local line directive=0\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :*) directive=${line#:} ;;\n"
    "        *) found+=(\"${${line%%$'\\t'*}//:/\\\\:}${${line#*$'\\t'}:+:${line#*$'\\t'}}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    if ((${#found})); then\n"
    "        if ((directive & 2)); then _describe -V kubectl found -S ''; else _describe -V kubectl found; fi\n"
    "    elif ((!(directive & 4))); then\n"
    "        _files\n"
    "    fi\n"
    "}\n"
    "compdef __kubectl_complete kubectl k\n";

static const char fish[] =
    "# fish completion for kubectl\n"
    "function __kubectl_complete\n"
    "    set -l words (commandline -opc)\n"
    "    $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null | string match -v ':*'\n"
    "end\n"
    "for name in kubectl k\n"
    "    complete -c $name -f -a '(__kubectl_complete)'\n"
    "end\n";

static const struct {
    const char *shell, *script;
} scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

static int run(struct call *c)
{
    if (c->words.len == 0)
        return call_usage(c, "Shell not specified.");
    if (c->words.len > 1)
        return call_usage(c, "Too many arguments. Expected only the shell type.");
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (str_eq(c->words.items[0], scripts[i].shell)) {
            fputs(scripts[i].script, c->k->out);
            return 0;
        }
    return call_usage(c, "Unsupported shell type \"%s\".", c->words.items[0]);
}

const struct kubectl_verb kubectl_completion = {
    .name = "completion",
    .summary = "Output shell completion code for the specified shell (bash, zsh, fish)",
    .usage = "SHELL",
    .takes = TAKES_NONE,
    .run = run,
};
