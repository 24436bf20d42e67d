/* Lines of the prompt: parsed as if more could come and as if none did, their words made what they mean. */
#include "base/mem.h"
#include "cli/repl/expand_int.h"
#include "cli/repl/words_int.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int says(void *arg _unused_, const char *text, struct buf *out, struct err *e _unused_)
{
    buf_adds(out, text);
    return 0;
}

static bool every_other(const char *text)
{
    return *text % 2;
}

/* Not as file patterns: those would be looked for on this machine. */
static void expand(const struct expansion *x, const struct stage *g)
{
    struct err e = ERR_INIT;
    _auto_buf_ struct buf out = BUF_INIT;
    for (size_t i = 0; i < g->words.len; i++) {
        _auto_free_ char *word = expand_one(x, g->words.items[i], &e);
        if (!word)
            BUG("%s: %s", g->words.items[i], e.msg);
    }
    if (g->heredoc)
        expand_text(x, buf_str(&g->heredoc->text), &out, &e);
    expand_for_shell(x, g->raw, every_other, &out, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct expansion x = {.substitute = says};
    _auto_free_ char *text = xstrndup((const char *)data, size);
    _auto_script_ struct script open = {0}, closed = {0};
    struct err e = ERR_INIT;
    const int first = script_parse(text, false, &open, &e), last = script_parse(text, true, &closed, &e);
    if (last > 0 || (first == 0 && last < 0))
        BUG("at its end the text is another: %d, then %d", first, last);
    for (size_t i = 0; i < closed.len; i++)
        for (size_t k = 0; k < closed.items[i].len; k++)
            expand(&x, &closed.items[i].stages[k]);
    return 0;
}
