/* line.c - see line_int.h.
 *
 * DESIGN: libedit asks a function of ours for each character, so that a signal is noticed while it waits (the event
 * descriptor becomes readable, the edited line is dropped) and nothing is read before it is wanted: what is typed ahead
 * belongs to the command that runs. A terminal that knows bracketed paste tells where a paste begins and ends: its
 * whole lines wait in a queue and are given one by one, an unfinished last one is put into the editor. Without brackets
 * a paste is what it looks like, fast typing.
 *
 * INVARIANTS: the terminal is raw only inside line_read(). THREADS: one. */
#include "cli/repl/line_int.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define SHOWN_MAX    200
#define HISTORY_MAX  2000
#define PASTE_BEGINS "\033[?2004h"
#define PASTE_ENDS   "\033[?2004l"

struct line {
    struct line_conf conf;
    char *store; /* owned, or NULL */
    EditLine *el;
    History *history;
    const char *prompt; /* of the line that is read */
    bool interrupted;
    struct strlist pasted; /* lines that wait, from `next` on */
    size_t next;
};

static struct line *owner(EditLine *el)
{
    struct line *l = NULL;
    el_get(el, EL_CLIENTDATA, &l);
    return l;
}

/* ---- characters ---- */

/* One byte: 1; 0 at the end, or when a signal came. */
static int read_byte(struct line *l, unsigned char *out)
{
    for (;;) {
        struct pollfd p[] = {{STDIN_FILENO, POLLIN, 0}, {l->conf.cancel, POLLIN, 0}};
        const int n = poll(p, ARRAY_LEN(p), -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return 0;
        if (p[1].revents) {
            l->interrupted = true;
            return 0;
        }
        const ssize_t got = read(STDIN_FILENO, out, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        return got == 1;
    }
}

static int read_char(EditLine *el, wchar_t *out)
{
    struct line *l = owner(el);
    mbstate_t state = {0};
    unsigned char byte;
    for (;;) {
        if (!read_byte(l, &byte))
            return 0;
        const size_t n = mbrtowc(out, (const char *)&byte, 1, &state);
        if (n == (size_t)-1) {
            *out = '?';
            return 1;
        }
        if (n != (size_t)-2)
            return 1;
    }
}

/* ---- pasting ---- */

/* Up to the closing bracket. False when it never came. */
static bool read_paste(struct line *l, struct buf *text)
{
    static const char end[] = "\033[201~";
    const size_t n = sizeof end - 1;
    unsigned char byte;
    while (read_byte(l, &byte)) {
        buf_addc(text, byte == '\r' ? '\n' : (char)byte);
        if (byte == '~' && text->len >= n && memcmp(text->data + text->len - n, end, n) == 0) {
            text->len -= n;
            text->data[text->len] = '\0';
            return true;
        }
    }
    return false;
}

/* What the editor may show: no control characters. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' && *text != '\n')
            *text = ' ';
}

/* The key that a terminal sends in front of a paste. */
static unsigned char on_paste(EditLine *el, int ch _unused_)
{
    struct line *l = owner(el);
    _auto_buf_ struct buf text = BUF_INIT;
    if (!read_paste(l, &text))
        return CC_EOF;
    if (!text.len)
        return CC_NORM;
    make_plain(text.data);
    const size_t first = strcspn(text.data, "\n");
    if (first < text.len)
        strlist_split(&l->pasted, text.data + first + 1, '\n');
    text.data[first] = '\0';
    if (*text.data && el_insertstr(el, text.data) < 0)
        return CC_ERROR;
    if (first == text.len)
        return CC_REFRESH;
    el_push(el, "\n");
    return CC_REFRESH;
}

/* ---- completion ---- */

static size_t common(const struct strlist *words)
{
    size_t n = strlen(words->items[0]);
    for (size_t i = 1; i < words->len; i++) {
        size_t k = 0;
        while (k < n && words->items[i][k] == words->items[0][k])
            k++;
        n = k;
    }
    return n;
}

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* A prompt begins a line: what was printed last need not have ended its own. As many blanks as the line is wide run
 * over into the next one unless the cursor stood at the beginning. */
static void begin_line(void)
{
    printf("%*s\r\033[K", (int)terminal_width(), "");
}

static void show(const struct strlist *words)
{
    size_t widest = 0;
    const size_t n = words->len > SHOWN_MAX ? SHOWN_MAX : words->len;
    for (size_t i = 0; i < n; i++)
        widest = strlen(words->items[i]) > widest ? strlen(words->items[i]) : widest;
    const size_t fit = terminal_width() / (widest + 2), columns = fit ? fit : 1, rows = (n + columns - 1) / columns;
    for (size_t r = 0; r < rows; r++) {
        fputc('\n', stdout);
        for (size_t i = r; i < n; i += rows)
            fprintf(stdout, i + rows < n ? "%-*s" : "%*s", i + rows < n ? (int)widest + 2 : 0, words->items[i]);
    }
    if (n < words->len)
        fprintf(stdout, "\n… and %zu more", words->len - n);
    fputc('\n', stdout);
    fflush(stdout);
}

static unsigned char on_tab(EditLine *el, int ch _unused_)
{
    struct line *l = owner(el);
    const LineInfo *at = el_line(el);
    const size_t cursor = (size_t)(at->cursor - at->buffer);
    _auto_free_ char *text = xstrndup(at->buffer, (size_t)(at->lastchar - at->buffer));
    struct completion c = {0};
    unsigned char rc = CC_REFRESH;
    l->conf.complete(l->conf.arg, text, cursor, &c);
    if (!c.words.len) {
        strlist_release(&c.words);
        return CC_REFRESH_BEEP;
    }
    const size_t typed = cursor - c.from, agreed = common(&c.words);
    _auto_buf_ struct buf add = BUF_INIT;
    if (agreed > typed)
        buf_add(&add, c.words.items[0] + typed, agreed - typed);
    if (c.words.len == 1 && !strchr("/=", c.words.items[0][agreed ? agreed - 1 : 0]) && text[cursor] != ' ')
        buf_addc(&add, ' ');
    if (add.len)
        el_insertstr(el, buf_str(&add));
    else if (c.words.len > 1) {
        show(&c.words);
        rc = CC_REDISPLAY;
    }
    strlist_release(&c.words);
    return rc;
}

/* ---- the editor ---- */

static char *on_prompt(EditLine *el)
{
    return (char *)(uintptr_t)owner(el)->prompt;
}

/* Characters of several bytes are edited as one: in any locale, if the machine has one that can. */
static void choose_locale(void)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static void open_history(struct line *l)
{
    HistEvent event;
    _auto_strlist_ struct strlist lines = {0};
    l->history = history_init();
    history(l->history, &event, H_SETSIZE, HISTORY_MAX);
    history(l->history, &event, H_SETUNIQUE, 1);
    if (l->store)
        typed_load(l->store, &lines);
    for (size_t i = 0; i < lines.len; i++)
        history(l->history, &event, H_ENTER, lines.items[i]);
    el_set(l->el, EL_HIST, history, l->history);
}

static void open_editor(struct line *l)
{
    choose_locale();
    l->el = el_init("stowage", stdin, stdout, stderr);
    el_set(l->el, EL_CLIENTDATA, l);
    el_set(l->el, EL_EDITOR, "emacs");
    el_set(l->el, EL_SIGNAL, 0);
    el_set(l->el, EL_GETCFN, read_char);
    el_set(l->el, EL_PROMPT_ESC, on_prompt, '\1');
    el_wset(l->el, EL_ADDFN, L"stowage-complete", L"complete a word",
            on_tab); /* the narrow one keeps copies for ever */
    el_wset(l->el, EL_ADDFN, L"stowage-paste", L"take a paste", on_paste);
    el_set(l->el, EL_BIND, "^I", "stowage-complete", NULL);
    el_set(l->el, EL_BIND, "\\e[200~", "stowage-paste", NULL);
    el_set(l->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(l->el, EL_BIND, "^W", "ed-delete-prev-word", NULL);
    el_set(l->el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    el_set(l->el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    open_history(l);
}

struct line *line_new(const struct line_conf *conf)
{
    struct line *l = xcalloc(1, sizeof *l);
    l->conf = *conf;
    if (conf->store)
        l->store = xstrdup(conf->store);
    if (!conf->script)
        open_editor(l);
    return l;
}

void line_free(struct line *l)
{
    if (!l)
        return;
    if (l->history)
        history_end(l->history);
    if (l->el)
        el_end(l->el);
    strlist_release(&l->pasted);
    free(l->store);
    free(l);
}

/* ---- reading ---- */

static enum line_got read_script(struct line *l, char **out)
{
    char *text = NULL;
    size_t cap = 0;
    const ssize_t n = getline(&text, &cap, l->conf.script);
    if (n < 0) {
        free(text);
        return ferror(l->conf.script) && errno == EINTR ? LINE_INTERRUPTED : LINE_END;
    }
    if (n && text[n - 1] == '\n')
        text[n - 1] = '\0';
    *out = text;
    return LINE_TEXT;
}

/* A whole line of a paste is shown as if it had been typed. */
static char *take_pasted(struct line *l, const char *prompt)
{
    char *text = xstrdup(l->pasted.items[l->next++]);
    for (; *prompt; prompt++)
        if (*prompt != '\1')
            fputc(*prompt, stdout);
    printf("%s\n", text);
    fflush(stdout);
    return text;
}

static void forget_paste(struct line *l)
{
    strlist_release(&l->pasted);
    l->next = 0;
}

static enum line_got edit(struct line *l, char **out)
{
    int n = 0;
    l->interrupted = false;
    el_set(l->el, EL_PREP_TERM, 1); /* raw before it is seen: no key behind the prompt is shown twice */
    begin_line();
    fputs(PASTE_BEGINS, stdout);
    fflush(stdout);
    const char *text = el_gets(l->el, &n);
    fputs(PASTE_ENDS, stdout);
    if (l->interrupted || !text) {
        fputs(l->interrupted ? "^C\n" : "\n", stdout);
        fflush(stdout);
        forget_paste(l);
        el_reset(l->el);
        return l->interrupted ? LINE_INTERRUPTED : LINE_END;
    }
    fflush(stdout);
    *out = xstrndup(text, strcspn(text, "\n"));
    return LINE_TEXT;
}

enum line_got line_read(struct line *l, const char *prompt, char **out, bool *out_pasted)
{
    enum line_got got = LINE_TEXT;
    *out_pasted = false;
    if (!l->el)
        return read_script(l, out);
    l->prompt = prompt;
    if (l->next + 1 < l->pasted.len) {
        *out = take_pasted(l, prompt);
    } else {
        if (l->next < l->pasted.len && *l->pasted.items[l->next])
            el_push(l->el, l->pasted.items[l->next]);
        forget_paste(l);
        got = edit(l, out);
    }
    *out_pasted =
        got == LINE_TEXT && l->next < l->pasted.len && (l->next + 1 < l->pasted.len || *l->pasted.items[l->next]);
    return got;
}

/* ---- what was typed ---- */

void line_remember(struct line *l, const char *text)
{
    HistEvent event;
    if (!l->el || !*text || *text == ' ')
        return;
    history(l->history, &event, H_ENTER, text);
    if (l->store && !typed_secret(text))
        typed_append(l->store, text);
}

void line_history(struct line *l, FILE *out)
{
    HistEvent event;
    int n = 0;
    if (!l->history)
        return;
    for (int rc = history(l->history, &event, H_LAST); rc >= 0; rc = history(l->history, &event, H_PREV))
        fprintf(out, "%5d  %s\n", ++n, event.str);
}
