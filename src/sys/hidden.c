/* hidden.c - the hidden verbs: our own binary, started again as another process. Nodes are cloned from the helper, so
 * there is one. THREADS: none. */
#include "sys/hidden_int.h"
#include "sys/machine.h"

#include "base/mem.h"
#include "base/str.h"

static const struct {
    const char *verb;
    int (*main)(int argc, char **argv);
} verbs[] = {
    {HELPER_VERB, helper_main},
};

int sys_hidden_main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
        if (str_eq(argv[1], verbs[i].verb))
            return verbs[i].main(argc, argv);
    return -1;
}
