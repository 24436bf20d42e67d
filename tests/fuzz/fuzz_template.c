/* What somebody writes behind -o: Go templates, JSONPath, custom columns, over one tree. */
#include "api/jsonpath.h"
#include "base/mem.h"
#include "kubectl/output/columns.h"
#include "kubectl/output/gotemplate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *tree;
    if (!tree)
        tree = json_pack("{s:[{s:s,s:i},{s:s,s:f}],s:{s:s,s:b},s:n}", "items", "name", "a", "n", 1, "name", "b", "x",
                         2.5, "map", "k", "v", "t", 1, "none");
    _auto_free_ char *text = xstrndup((const char *)data, size);
    _auto_buf_ struct buf out = BUF_INIT;
    _auto_table_ struct table t = {0};
    _auto_free_ char *columns = xstrdup(text);
    struct err e = ERR_INIT;
    gotemplate_print(text, tree, size % 2, &out, &e);
    jsonpath_print(text, tree, size % 2, &out, &e);
    if (columns_check(text, size % 2, &columns, &e) == 0)
        columns_print(columns, tree, false, &t, &e);
    return 0;
}
