/* grade_write.c - see grade_write.h. */
#include "cli/grade_write.h"

#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int write_file(const char *dir, const char *name, const struct buf *text, struct err *e)
{
    _auto_free_ char *path = xasprintf("%s/%s", dir, name);
    _auto_file_ FILE *f = fopen(path, "we");
    if (!f)
        return err_sys(e, errno, "%s", path);
    return fwrite(buf_str(text), 1, text->len, f) != text->len || fflush(f) != 0 ? err_sys(e, errno, "%s", path) : 0;
}

/* The class with one student only. Returns new. */
static json_t *class_of_one(const json_t *class, const json_t *student)
{
    json_t *one = json_copy((json_t *)(uintptr_t) class);
    json_object_set_new(one, "students", json_pack("[O]", student));
    return one;
}

/* A folder's name of a student's: no separators. Returns new. */
static char *folder_name(const char *student)
{
    char *name = xstrdup(*student && *student != '.' ? student : "_");
    for (char *at = name; *at; at++)
        *at = *at == '/' ? '_' : *at;
    return name;
}

static int make_dir(const char *path, struct err *e)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? err_sys(e, errno, "%s", path) : 0;
}

static int write_each(const json_t *class, const char *dir, struct err *e)
{
    size_t i;
    const json_t *student;
    _auto_free_ char *students = xasprintf("%s/students", dir);
    if (make_dir(students, e) < 0)
        return -1;
    json_array_foreach(json_object_get(class, "students"), i, student)
    {
        _auto_free_ char *name = folder_name(jstr_or(student, "submission", "")),
                         *own = xasprintf("%s/%s", students, name);
        _auto_json_ json_t *one = class_of_one(class, student);
        if (make_dir(own, e) < 0)
            return -1;
        for (const struct results_form *f = results_forms; f->name; f++) {
            _auto_buf_ struct buf text = BUF_INIT;
            if (!f->each)
                continue;
            f->make(one, &text);
            if (write_file(own, f->file, &text, e) < 0)
                return -1;
        }
    }
    return 0;
}

int results_write(const json_t *class, const char *dir, struct err *e)
{
    if (make_dir(dir, e) < 0)
        return -1;
    for (const struct results_form *f = results_forms; f->name; f++) {
        _auto_buf_ struct buf text = BUF_INIT;
        if (f->each)
            continue;
        f->make(class, &text);
        if (write_file(dir, f->file, &text, e) < 0)
            return -1;
    }
    return write_each(class, dir, e);
}

int results_print(const json_t *class, const struct results_form *form, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    if (form->each && json_array_size(json_object_get(class, "students")) != 1)
        return err_set(e, ERR_USAGE,
                       "%s is about one submission: name it with --one, or take --out DIR, which has one for "
                       "each",
                       form->name);
    form->make(class, &text);
    return fwrite(buf_str(&text), 1, text.len, stdout) != text.len || fflush(stdout) != 0
               ? err_sys(e, errno, "standard output")
               : 0;
}
