/* sql_store.c - see sql_store.h. A database is a directory, a table a text file: its columns in the first line, then a
 * line a row, cells separated by tabs. The working directory is the data directory. */
#include "sql_store.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_END ".table"

struct scan { /* a statement, word by word */
    const char *at;
    char word[1024];
    bool quoted;
};

/* The next word, number, quoted text or sign; false at the end. */
static bool next(struct scan *s)
{
    size_t n = 0;
    s->at += strspn(s->at, " \t\r\n");
    s->quoted = *s->at == '\'' || *s->at == '"' || *s->at == '`';
    s->word[0] = '\0';
    if (!*s->at)
        return false;
    if (s->quoted) {
        const char stop = *s->at++;
        for (; *s->at && *s->at != stop; s->at++)
            if (n + 1 < sizeof s->word)
                s->word[n++] = *s->at == '\t' || *s->at == '\n' ? ' ' : *s->at;
        s->at += *s->at == stop;
        s->quoted = stop != '`';
    } else if (isalnum((unsigned char)*s->at) || strchr("_.-@", *s->at)) {
        for (; isalnum((unsigned char)*s->at) || (*s->at && strchr("_.-@:", *s->at)); s->at++)
            if (n + 1 < sizeof s->word)
                s->word[n++] = *s->at;
    } else {
        s->word[n++] = *s->at++;
    }
    s->word[n] = '\0';
    return true;
}

static bool is(const struct scan *s, const char *word)
{
    return !s->quoted && strcasecmp(s->word, word) == 0;
}

static bool next_is(struct scan *s, const char *word)
{
    const struct scan before = *s;
    if (next(s) && is(s, word))
        return true;
    *s = before;
    return false;
}

static bool name_ok(const char *name)
{
    const size_t n = strlen(name);
    return n && n < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static void rest_of_line(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
}

/* "db.t" or "t" of the chosen database: its file. */
static bool table_path(const char *name, const char *database, char out[160])
{
    char db[64] = "", table[64] = "";
    const char *dot = strchr(name, '.');
    snprintf(db, sizeof db, "%.*s", dot ? (int)(dot - name) : 63, dot ? name : database);
    snprintf(table, sizeof table, "%.63s", dot ? dot + 1 : name);
    snprintf(out, 160, "%s/%s" TABLE_END, db, table);
    return name_ok(db) && name_ok(table);
}

/* ---- statements ---- */

static void list(const char *dir, const char *header, bool tables, FILE *out)
{
    char *names[256], line[64];
    size_t n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *entry; d && n < 256 && (entry = readdir(d));) {
        struct stat st;
        const char *end = strstr(entry->d_name, TABLE_END);
        const bool fits = fstatat(dirfd(d), entry->d_name, &st, 0) == 0 &&
                          (tables ? end != NULL
                                  : S_ISDIR(st.st_mode) && strchr(".#", entry->d_name[0]) == NULL &&
                                        strcmp(entry->d_name, "lost+found") != 0 && name_ok(entry->d_name));
        snprintf(line, sizeof line, "%.*s", tables && end ? (int)(end - entry->d_name) : 63, entry->d_name);
        if (fits)
            names[n++] = strdup(line);
    }
    if (d)
        closedir(d);
    fprintf(out, "ROWS %zu\n%s\n", n, header);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++)
            if (strcmp(names[j], names[i]) < 0) {
                char *swap = names[i];
                names[i] = names[j];
                names[j] = swap;
            }
        fprintf(out, "%s\n", names[i]);
        free(names[i]);
    }
}

/* "(id INT PRIMARY KEY, name VARCHAR(20))": the columns' names, separated by tabs. */
static void read_columns(struct scan *s, char *out, size_t size)
{
    size_t n = 0;
    int depth = 0;
    bool first = true;
    while (next(s)) {
        if (is(s, "(")) {
            depth++;
        } else if (is(s, ")")) {
            if (--depth == 0)
                break;
        } else if (is(s, ",") && depth == 1) {
            first = true;
        } else if (first && depth == 1) {
            first = false;
            if (strcasecmp(s->word, "primary") != 0 && strcasecmp(s->word, "unique") != 0 &&
                strcasecmp(s->word, "key") != 0 && n + strlen(s->word) + 2 < size)
                n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "\t" : "", s->word);
        }
    }
}

static void create(struct scan *s, const char *database, FILE *out)
{
    char path[160], columns[2048] = "";
    if (!next(s))
        fputs("ERR syntax error\n", out);
    else if (is(s, "database") || is(s, "schema")) {
        const bool unless = next_is(s, "if") && next_is(s, "not") && next_is(s, "exists");
        next(s);
        if (!name_ok(s->word))
            fprintf(out, "ERR Incorrect database name '%s'\n", s->word);
        else if (mkdir(s->word, 0750) == 0 || unless)
            fputs("OK 1\n", out);
        else
            fprintf(out, "ERR Can't create database '%s'; database exists\n", s->word);
    } else if (is(s, "table")) {
        const bool unless = next_is(s, "if") && next_is(s, "not") && next_is(s, "exists");
        next(s);
        if (!table_path(s->word, database, path)) {
            fputs("ERR No database selected\n", out);
            return;
        }
        char name[64];
        snprintf(name, sizeof name, "%.63s", s->word);
        read_columns(s, columns, sizeof columns);
        FILE *f = access(path, F_OK) == 0 ? NULL : fopen(path, "we");
        if (!f) {
            if (unless)
                fputs("OK 0\n", out);
            else
                fprintf(out, "ERR Table '%s' already exists\n", name);
            return;
        }
        fprintf(f, "%s\n", columns);
        fclose(f);
        fputs("OK 0\n", out);
    } else {
        fputs("OK 0\n", out); /* users, extensions: nobody asks for them again */
    }
}

static void drop_database(const char *name, FILE *out)
{
    DIR *d = name_ok(name) ? opendir(name) : NULL;
    if (!d) {
        fprintf(out, "ERR Can't drop database '%s'; database doesn't exist\n", name);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(d));)
        if (strstr(entry->d_name, TABLE_END))
            unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    rmdir(name);
    fputs("OK 0\n", out);
}

static void drop(struct scan *s, const char *database, FILE *out)
{
    char path[160];
    next(s);
    const bool whole = is(s, "database") || is(s, "schema");
    if (next_is(s, "if"))
        next_is(s, "exists");
    next(s);
    if (whole)
        drop_database(s->word, out);
    else if (table_path(s->word, database, path) && unlink(path) == 0)
        fputs("OK 0\n", out);
    else
        fprintf(out, "ERR Unknown table '%s'\n", s->word);
}

static void insert(struct scan *s, const char *database, FILE *out)
{
    char path[160];
    unsigned rows = 0;
    next_is(s, "into");
    next(s);
    FILE *f = table_path(s->word, database, path) && access(path, F_OK) == 0 ? fopen(path, "ae") : NULL;
    if (!f) {
        fprintf(out, "ERR Table '%s.%s' doesn't exist\n", database, s->word);
        return;
    }
    while (next(s) && !is(s, "values") && !is(s, "value"))
        continue;
    while (next(s)) {
        bool first = true;
        if (!is(s, "("))
            continue;
        while (next(s) && !is(s, ")"))
            if (!is(s, ",")) {
                fprintf(f, "%s%s", first ? "" : "\t", s->word);
                first = false;
            }
        putc('\n', f);
        rows++;
    }
    fflush(f);
    fsync(fileno(f));
    fclose(f);
    fprintf(out, "OK %u\n", rows);
}

/* The cell of that column in a line. */
static bool cell_is(const char *line, size_t column, const char *value)
{
    for (; column > 0 && *line; column--) {
        line += strcspn(line, "\t");
        line += *line == '\t';
    }
    return strcspn(line, "\t") == strlen(value) && strncmp(line, value, strlen(value)) == 0;
}

static size_t column_of(const char *header, const char *name)
{
    for (size_t i = 0;; i++) {
        const size_t n = strcspn(header, "\t");
        if (n == strlen(name) && strncasecmp(header, name, n) == 0)
            return i;
        if (!header[n])
            return 0;
        header += n + 1;
    }
}

struct where {
    char column[64], value[256];
    bool set;
};

static struct where read_where(struct scan *s)
{
    struct where w = {0};
    while (next(s) && !is(s, "where"))
        continue;
    if (is(s, "where") && next(s)) {
        snprintf(w.column, sizeof w.column, "%.63s", s->word);
        if (next_is(s, "=") && next(s)) {
            snprintf(w.value, sizeof w.value, "%.255s", s->word);
            w.set = true;
        }
    }
    return w;
}

static void select_from(struct scan *s, const char *database, bool count, FILE *out)
{
    char path[160], header[2048] = "", line[4096];
    size_t n = 0;
    next(s);
    FILE *f = table_path(s->word, database, path) ? fopen(path, "re") : NULL;
    if (!f || !fgets(header, sizeof header, f)) {
        fprintf(out, "ERR Table '%s.%s' doesn't exist\n", database, s->word);
        if (f)
            fclose(f);
        return;
    }
    rest_of_line(header);
    const struct where w = read_where(s);
    const size_t column = w.set ? column_of(header, w.column) : 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass)
            fprintf(out, count ? "ROWS 1\nCOUNT(*)\n%zu\n" : "ROWS %zu\n", n);
        if (pass && count)
            break;
        if (pass)
            fprintf(out, "%s\n", header);
        rewind(f);
        if (!fgets(line, sizeof line, f))
            break;
        while (fgets(line, sizeof line, f)) {
            rest_of_line(line);
            if (w.set && !cell_is(line, column, w.value))
                continue;
            n++;
            if (pass)
                fprintf(out, "%s\n", line);
        }
    }
    fclose(f);
}

static void run_select(struct scan *s, const char *database, const char *version, FILE *out)
{
    char what[256] = "";
    bool count = false;
    while (next(s)) {
        if (is(s, "from")) {
            select_from(s, database, count, out);
            return;
        }
        count = count || is(s, "count");
        if (strlen(what) + strlen(s->word) + 1 < sizeof what)
            memcpy(what + strlen(what), s->word, strlen(s->word) + 1);
    }
    if (strcasecmp(what, "version()") == 0 || strcasecmp(what, "@@version") == 0)
        fprintf(out, "ROWS 1\n%s\n%s\n", what, version);
    else if (strcasecmp(what, "database()") == 0)
        fprintf(out, "ROWS 1\n%s\n%s\n", what, *database ? database : "NULL");
    else
        fprintf(out, "ROWS 1\n%s\n%s\n", what, what);
}

static void delete_from(struct scan *s, const char *database, FILE *out)
{
    char path[160], temp[170], header[2048] = "", line[4096];
    unsigned n = 0;
    next_is(s, "from");
    next(s);
    FILE *f = table_path(s->word, database, path) ? fopen(path, "re") : NULL;
    snprintf(temp, sizeof temp, "%s.new", path);
    FILE *kept = f && fgets(header, sizeof header, f) ? fopen(temp, "we") : NULL;
    if (!kept) {
        fprintf(out, "ERR Table '%s.%s' doesn't exist\n", database, s->word);
        if (f)
            fclose(f);
        return;
    }
    fputs(header, kept);
    rest_of_line(header);
    const struct where w = read_where(s);
    while (fgets(line, sizeof line, f)) {
        rest_of_line(line);
        if (w.set && !cell_is(line, column_of(header, w.column), w.value))
            fprintf(kept, "%s\n", line);
        else
            n++;
    }
    fclose(f);
    fclose(kept);
    rename(temp, path);
    fprintf(out, "OK %u\n", n);
}

static void use(struct scan *s, char database[64], FILE *out)
{
    struct stat st;
    next(s);
    if (!name_ok(s->word) || stat(s->word, &st) < 0 || !S_ISDIR(st.st_mode)) {
        fprintf(out, "ERR Unknown database '%s'\n", s->word);
        return;
    }
    snprintf(database, 64, "%.63s", s->word);
    fputs("OK 0\n", out);
}

void sql_run(const char *statement, char database[64], const char *version, FILE *out)
{
    struct scan s = {.at = statement};
    if (!next(&s))
        fputs("OK 0\n", out);
    else if (is(&s, "create"))
        create(&s, database, out);
    else if (is(&s, "drop"))
        drop(&s, database, out);
    else if (is(&s, "use"))
        use(&s, database, out);
    else if (is(&s, "insert"))
        insert(&s, database, out);
    else if (is(&s, "select"))
        run_select(&s, database, version, out);
    else if (is(&s, "delete"))
        delete_from(&s, database, out);
    else if (is(&s, "show")) {
        next(&s);
        if (is(&s, "tables"))
            list(*database ? database : ".", "Tables", true, out);
        else
            list(".", "Database", false, out);
    } else
        fputs("OK 0\n", out); /* GRANT, FLUSH, SET: done as far as anyone can see */
}
