/* image_name.c - see image_name.h. */
#include "kubectl/set/image_name.h"

#include <regex.h>
#include <stddef.h>

#define LABEL  "([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
#define DOMAIN "(" LABEL "(\\." LABEL ")*|\\[[a-fA-F0-9:]+\\])(:[0-9]+)?"
#define PART   "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define TAG    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
#define DIGEST "[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"

bool image_name_valid(const char *name)
{
    regex_t re;
    if (regcomp(&re, "^(" DOMAIN "/)?" PART "(/" PART ")*(:" TAG ")?(@" DIGEST ")?$", REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    const bool fits = regexec(&re, name, 0, NULL, 0) == 0;
    regfree(&re);
    return fits;
}
