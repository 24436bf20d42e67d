/* godiff_int.h - between the three parts of go-cmp's report: the tree of a comparison, the text and its layout. */
#ifndef STOWAGE_API_VALIDATE_GODIFF_INT_H
#define STOWAGE_API_VALIDATE_GODIFF_INT_H

#include "api/validate/validate_int.h"

/* -- layout (gotext.c) -- */

enum text_kind { TEXT_LINE, TEXT_WRAP, TEXT_LIST };
struct diff_stats {
    const char *name; /* "field", "element", "entry" */
    size_t identical, removed, inserted, modified;
};
struct text_record {
    char mark; /* 0, '-' or '+' */
    char *key; /* owned; NULL for none */
    struct text *value;
    bool is_ellipsis;
    bool has_comment;
    struct diff_stats comment;
};
struct text {
    enum text_kind kind;
    char *line;                  /* owned; LINE */
    char *prefix;                /* owned; WRAP */
    const char *suffix;          /* WRAP */
    struct text *inner;          /* WRAP */
    struct text_record *records; /* LIST */
    size_t len, cap;
};
struct text *text_line(char *take);
struct text *text_wrap(char *take_prefix, struct text *take_inner, const char *suffix);
struct text *text_list(void);
void text_free(struct text *t);
void text_list_add(struct text *list, char mark, char *take_key, struct text *take_value);
/* "..." with an optional count of what it stands for. */
void text_list_ellipsis(struct text *list, const struct diff_stats *stats);
bool text_equal(const struct text *a, const struct text *b);
/* Lays out and appends, as go-cmp's report: lines begin with two blanks, "- " or "+ ". */
void text_render(struct text *t, struct buf *out);

/* -- the comparison (gotree.c) -- */

enum go_kind { GO_STRUCT, GO_SLICE, GO_MAP, GO_PTR, GO_SCALAR };
/* A Go type: that of a field, or of what it points to or holds. */
struct go_type {
    enum go_kind kind;
    const struct schema_field *field; /* NULL only for the root */
    const struct schema_type *holder; /* whose field */
    const struct schema_type *of;     /* for GO_STRUCT */
    bool quantity;                    /* a struct that compares by its own method: a leaf */
};
struct go_value {
    bool valid;      /* false: there is no such element on this side */
    const json_t *v; /* NULL: nil or zero */
};
struct go_node {
    struct go_type type;
    char *name; /* owned: Go field name, or map key as printed */
    struct go_value x, y;
    struct go_node **children;
    size_t len, cap;
    size_t same, diff; /* leaves */
    size_t descendants, depth;
};
/* One member of a struct as Go has it, embedded structs as members. */
struct go_member {
    char *name; /* owned */
    struct go_type type;
    const char *json_name; /* NULL for an embedded struct: it shares its holder's object */
};
struct go_members {
    struct go_member *items;
    size_t len;
};
/* `keep` is an array that owns trees made on the way. */
struct go_node *go_compare(const struct schema_type *t, const json_t *x, const json_t *y, json_t *keep);
void go_node_free(struct go_node *n);
void go_members_of(const struct schema_type *t, struct go_members *out);
void go_members_release(struct go_members *m);
struct go_type go_element(const struct go_type *t); /* of a pointer, slice or map */
/* The value of a member; quantities and ints-or-strings become objects of their Go structs. */
const json_t *go_member_value(const struct go_member *m, const json_t *holder, json_t *keep);
const json_t *go_value_of(const struct go_type *t, const json_t *v, json_t *keep);
bool go_is_zero(const struct go_type *t, const json_t *v, json_t *keep);
char *go_map_key_text(const struct go_type *map, const char *key);

/* govalue.c: Go's name of a type, with the internal package. */
void go_type_name_write(struct buf *out, const struct schema_type *t, const char *go_name);

#endif
