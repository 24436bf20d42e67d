/* Submissions: archives of every kind and single files, read and made a plan of; no name in them leads out. */
#include "base/mem.h"
#include "lab/plan.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const struct handin *h)
{
    for (size_t i = 0; i < h->len; i++)
        if (h->files[i].path[0] == '/' || strstr(h->files[i].path, "../") || h->bytes > HANDIN_BYTES_MAX)
            BUG("a submission leads out: %s", h->files[i].path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"x", "x.yaml", "x.sh", "x.jsonl", "answers.txt"};
    _auto_json_ json_t *tree = json_pack("{s:[{s:s, s:[{s:s, s:{s:s}}]}, {s:s, s:[]}]}", "steps", "name", "q1",
                                         "checks", "name", "question", "quiz", "ask", "?", "name", "q2", "checks");
    const struct lab lab = {.name = (char[]){"lab"}, .dir = (char[]){"/"}, .tree = tree};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        _auto_handin_ struct handin h = {0};
        _auto_plan_ struct plan plan = {0};
        struct err e = ERR_INIT;
        if (handin_take(names[i], data, size, &h, &e) < 0)
            continue;
        check_names(&h);
        plan_of(&lab, &h, &plan, &e);
    }
    return 0;
}
