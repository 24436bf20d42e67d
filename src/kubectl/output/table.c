/* table.c - see table.h.
 *
 * DESIGN: a column is what consecutive lines have in one place as a cell that a tab ends; a line without it ends the
 * column, and the next one begins anew, as elastic tab stops do. So the width of a cell is that of its block. Widths
 * count characters. */
#include "kubectl/output/table.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cell {
    const char *text;
    size_t len, width;
};
struct line {
    struct cell *cells;
    size_t len; /* the last one is not ended by a tab */
};
struct lines {
    struct line *items;
    size_t len, cap;
};

void table_addf(struct table *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&t->text, fmt, ap);
    va_end(ap);
}

void table_release(struct table *t)
{
    buf_release(&t->text);
    free(t->widths);
    *t = (struct table){0};
}

static size_t characters(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

static void line_add(struct lines *all, const char *s, size_t n)
{
    struct line line = {0};
    size_t cap = 0;
    for (const char *end = s + n;; s++) {
        const char *tab = memchr(s, '\t', (size_t)(end - s));
        const size_t len = (size_t)((tab ? tab : end) - s);
        if (line.len == cap) {
            cap = cap ? cap * 2 : 8;
            line.cells = xrealloc(line.cells, cap * sizeof *line.cells);
        }
        line.cells[line.len++] = (struct cell){s, len, characters(s, len)};
        if (!tab)
            break;
        s = tab;
    }
    if (all->len == all->cap) {
        all->cap = all->cap ? all->cap * 2 : 64;
        all->items = xrealloc(all->items, all->cap * sizeof *all->items);
    }
    all->items[all->len++] = line;
}

static bool in_column(const struct line *line, size_t column)
{
    return line->len > column + 1;
}

/* How wide is the column's block that begins at line `from`? *out_end: the line after it. */
static size_t block_width(const struct table *t, const struct lines *all, size_t from, size_t column, size_t *out_end)
{
    const bool usual = t->min == 0 && t->padding == 0;
    const size_t padding = usual ? 3 : t->padding;
    size_t width = usual ? 6 : t->min, i = from;
    for (; i < all->len && in_column(&all->items[i], column); i++)
        if (all->items[i].cells[column].width + padding > width)
            width = all->items[i].cells[column].width + padding;
    *out_end = i;
    return width;
}

static size_t remembered(struct table *t, size_t column, size_t width)
{
    if (!t->remember)
        return width;
    if (column >= t->widths_len) {
        t->widths = xrealloc(t->widths, (column + 1) * sizeof *t->widths);
        memset(t->widths + t->widths_len, 0, (column + 1 - t->widths_len) * sizeof *t->widths);
        t->widths_len = column + 1;
    }
    if (t->widths[column] < width)
        t->widths[column] = width;
    return t->widths[column];
}

/* Gives each cell its column's width. */
static void measure(struct table *t, struct lines *all)
{
    size_t most = 0;
    for (size_t i = 0; i < all->len; i++)
        most = all->items[i].len > most ? all->items[i].len : most;
    for (size_t column = 0; column + 1 < most; column++) {
        for (size_t i = 0, end; i < all->len; i = end) {
            end = i + 1;
            if (!in_column(&all->items[i], column))
                continue;
            const size_t width = remembered(t, column, block_width(t, all, i, column, &end));
            for (size_t k = i; k < end; k++) {
                struct cell *c = &all->items[k].cells[column];
                c->width = width - c->width; /* from here on: blanks after it */
            }
        }
    }
}

void table_align(struct table *t, struct buf *out)
{
    struct lines all = {0};
    const char *s = buf_str(&t->text), *end = s + t->text.len;
    while (s < end) {
        const char *stop = memchr(s, '\n', (size_t)(end - s));
        stop = stop ? stop : end;
        line_add(&all, s, (size_t)(stop - s));
        s = stop + 1;
    }
    measure(t, &all);
    for (size_t i = 0; i < all.len; i++) {
        const struct line *line = &all.items[i];
        for (size_t k = 0; k < line->len; k++) {
            buf_add(out, line->cells[k].text, line->cells[k].len);
            if (k + 1 < line->len)
                buf_addf(out, "%*s", (int)line->cells[k].width, "");
        }
        buf_addc(out, '\n');
        free(line->cells);
    }
    free(all.items);
    buf_clear(&t->text);
}

void table_flush(struct table *t, FILE *out)
{
    _auto_buf_ struct buf text = BUF_INIT;
    table_align(t, &text);
    fwrite(buf_str(&text), 1, text.len, out);
}
