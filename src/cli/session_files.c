/* session_files.c - see session_files.h. */
#include "cli/session_files.h"

#include "api/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "kubectl/files.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#define ONE_MOST   (256 * 1024)
#define SUM_MOST   (1024 * 1024)
#define FILES_MOST 64
#define DEPTH_MOST 4

static size_t sum_of(const json_t *files)
{
    const char *path;
    json_t *content;
    size_t sum = 0;
    json_object_foreach((json_t *)(uintptr_t)files, path, content)
    {
        const json_t *text = json_is_object(content) ? json_object_get(content, "base64") : content;
        sum += json_string_length(text);
    }
    return sum;
}

static void add_file(json_t *files, const char *path, const struct stat *st)
{
    _auto_buf_ struct buf text = BUF_INIT, coded = BUF_INIT;
    if (st->st_size > ONE_MOST || json_object_size(files) >= FILES_MOST || json_object_get(files, path) ||
        sum_of(files) + (size_t)st->st_size > SUM_MOST || file_text(path, &text) < 0)
        return;
    json_t *content = json_stringn(buf_str(&text), text.len);
    if (!content || memchr(buf_str(&text), '\0', text.len)) {
        json_decref(content);
        base64_encode(text.data, text.len, &coded);
        content = json_pack("{s:s}", "base64", buf_str(&coded));
    }
    json_object_set_new(files, path, content);
}

static void add_path(json_t *files, const char *path, int depth)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return;
    if (S_ISREG(st.st_mode))
        add_file(files, path, &st);
    DIR *dir = S_ISDIR(st.st_mode) && depth < DEPTH_MOST ? opendir(path) : NULL;
    for (const struct dirent *x; dir && (x = readdir(dir));) {
        _auto_free_ char *below = xasprintf("%s%s%s", path, str_ends(path, "/") ? "" : "/", x->d_name);
        if (x->d_name[0] != '.')
            add_path(files, below, depth + 1);
    }
    if (dir)
        closedir(dir);
}

void session_files_add_path(json_t *files, const char *path)
{
    add_path(files, path, 0);
}

/* "a.yaml,b.yaml"; of --from-file also "key=a.txt". */
static void add_value(json_t *files, const char *value)
{
    _auto_strlist_ struct strlist parts = {0};
    strlist_split(&parts, value, ',');
    for (size_t i = 0; i < parts.len; i++) {
        const char *equal = strchr(parts.items[i], '=');
        add_path(files, equal ? equal + 1 : parts.items[i], 0);
    }
}

/* The value that this word gives or, when it is the flag alone, the next one. NULL: no such flag. */
static const char *value_of(const char *word, const char *next, const char *name)
{
    const size_t n = strlen(name);
    if (!str_starts(word, name))
        return NULL;
    if (!word[n])
        return next;
    if (word[n] == '=')
        return word + n + 1;
    return name[1] == '-' ? NULL : word + n; /* -fpod.yaml */
}

void session_files_add(json_t *files, char *const *words, size_t count)
{
    static const char *const flags[] = {"-f",          "--filename",      "-k",          "--kustomize",
                                        "--from-file", "--from-env-file", "--patch-file"};
    size_t verb = 0;
    while (verb < count && (str_eq(words[verb], "kubectl") || str_eq(words[verb], "k")))
        verb++;
    const bool copies = verb < count && str_eq(words[verb], "cp");
    for (size_t i = verb; i < count; i++) {
        for (size_t f = 0; f < ARRAY_LEN(flags); f++) {
            const char *value = value_of(words[i], i + 1 < count ? words[i + 1] : NULL, flags[f]);
            if (value)
                add_value(files, value);
        }
        if (copies && i > verb && words[i][0] != '-' && !strchr(words[i], ':'))
            add_path(files, words[i], 0);
    }
}
