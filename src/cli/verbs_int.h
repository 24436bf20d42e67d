/* verbs_int.h - the verbs, each defined in verb_<name>.c. */
#ifndef STOWAGE_CLI_VERBS_INT_H
#define STOWAGE_CLI_VERBS_INT_H

#include "cli/cli.h"

extern const struct cli_verb verb_up, verb_down, verb_status, verb_shell, verb_disk, verb_clock, verb_node, verb_image,
    verb_doctor, verb_completion, verb_version, verb_why, verb_run, verb_lab, verb_console, verb_grade, verb_repl,
    verb_kubectl, verb_checkpoint, verb_class;

/* A shell on the node ("": where pods run) of the cluster in `dir`, or the command there; reads a script from standard
 * input when that is no terminal and there is no command. Returns its exit code, or -1 with `e`. */
int node_shell(const char *dir, const char *node, int argc, char **argv, struct err *e);

#endif
