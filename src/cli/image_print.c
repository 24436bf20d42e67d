/* image_print.c - lists of images as tables, with docker's columns. THREADS: none. */
#include "cli/image_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "images/manage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "72.3MB": as docker rounds. */
static void size_text(int64_t bytes, char out[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)bytes;
    size_t u = 0;
    for (; v >= 1000 && u < 4; u++)
        v /= 1000;
    snprintf(out, 32, u == 0 || v >= 100 ? "%.0f%s" : v >= 10 ? "%.1f%s" : "%.2f%s", v, units[u]);
}

/* "5 minutes ago" */
static void age_text(int64_t then, char out[32])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400 * 365, "year"}, {86400 * 30, "month"}, {86400 * 7, "week"}, {86400, "day"},
                 {3600, "hour"},        {60, "minute"},        {1, "second"}};
    const int64_t age = (int64_t)time(NULL) - then;
    snprintf(out, 32, then ? "just now" : "never");
    for (size_t i = 0; then && i < ARRAY_LEN(units); i++) {
        if (age < units[i].seconds)
            continue;
        const long long n = age / units[i].seconds;
        snprintf(out, 32, "%lld %s%s ago", n, units[i].name, n == 1 ? "" : "s");
        return;
    }
}

static void print_row(const json_t *image, const char *name)
{
    char size[32], used[32];
    const char *shown = image_name_familiar(name), *colon = strrchr(shown, ':'), *slash = strrchr(shown, '/');
    const bool tagged = *name && colon && (!slash || colon > slash);
    size_text(jint(image, "Size", 0), size);
    age_text(jint(image, "LastUsed", 0), used);
    const char *id = jstr_or(image, "Id", "");
    printf("%-40.*s %-16s %.12s   %-9s %-16s %s\n",
           !*name   ? 6
           : tagged ? (int)(colon - shown)
                    : (int)strlen(shown),
           *name ? shown : "<none>", tagged ? colon + 1 : "<none>", str_starts(id, "sha256:") ? id + 7 : id, size, used,
           jstr_or(image, "Origin", ""));
}

void image_print_list(const json_t *images)
{
    size_t i, n;
    const json_t *image, *name;
    printf("%-40s %-16s %-14s %-9s %-16s %s\n", "REPOSITORY", "TAG", "IMAGE ID", "SIZE", "LAST USED", "ORIGIN");
    json_array_foreach(images, i, image)
    {
        json_array_foreach(json_object_get(image, "RepoTags"), n, name)
        {
            print_row(image, json_string_value(name));
        }
        if (json_array_size(json_object_get(image, "RepoTags")) == 0)
            print_row(image, "");
    }
}

void image_print_catalogue(const json_t *rows)
{
    size_t i, n;
    const json_t *row, *tag;
    printf("%-44s %s\n", "REPOSITORY", "TAGS");
    json_array_foreach(rows, i, row)
    {
        printf("%-44s", image_name_familiar(jstr_or(row, "Repository", "")));
        json_array_foreach(json_object_get(row, "Tags"), n, tag)
        {
            printf(" %s", json_string_value(tag));
        }
        putchar('\n');
    }
}

void image_print_history(const json_t *steps)
{
    size_t i;
    const json_t *step;
    printf("%-14s %-21s %-46s %-9s %-24s %s\n", "IMAGE", "CREATED", "CREATED BY", "SIZE", "LAYER", "COMMENT");
    json_array_foreach(steps, i, step)
    {
        char size[32];
        const char *id = jstr_or(step, "Id", ""), *by = jstr_or(step, "CreatedBy", "");
        size_text(jint(step, "Size", 0), size);
        printf("%-14.12s %-21.21s %-.*s%-*s %-9s %-24s %s\n", str_starts(id, "sha256:") ? id + 7 : id,
               jstr_or(step, "Created", ""), 45, by, strlen(by) < 45 ? (int)(46 - strlen(by)) : 1,
               strlen(by) > 45 ? "…" : "", size, jstr_or(step, "Layer", ""), jstr_or(step, "Comment", ""));
    }
}
