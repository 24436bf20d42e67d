/* gotree.c - comparing two objects the way go-cmp walks Go values.
 *
 * DESIGN: the walk follows Go's internal types, which differ from the schema's in a few places: some structs are
 * embedded under their own name, a few have other member orders, and the host's namespaces of a pod stand in its
 * security context. Tables below hold these differences. Each node counts equal and different leaves; the report
 * decides from the counts what to print whole and what to leave out. Lists are aligned by their longest common
 * subsequence; what is left between two equal elements is paired in order.
 * THREADS: pure functions. Source: google/go-cmp cmp/compare.go, pkg/apis/core/types.go. */
#include "api/validate/godiff_int.h"

#include <ctype.h>

/* Structs embedded under their type's name. */
static const char *const embedded[][2] = {
    {"core.v1.Volume", "core.v1.VolumeSource"},
    {"core.v1.Probe", "core.v1.ProbeHandler"},
    {"core.v1.EphemeralContainer", "core.v1.EphemeralContainerCommon"},
    {"core.v1.PersistentVolumeSpec", "core.v1.PersistentVolumeSource"},
    {"core.v1.ConfigMapVolumeSource", "core.v1.LocalObjectReference"},
    {"core.v1.SecretProjection", "core.v1.LocalObjectReference"},
    {"core.v1.ConfigMapProjection", "core.v1.LocalObjectReference"},
    {"core.v1.ConfigMapKeySelector", "core.v1.LocalObjectReference"},
    {"core.v1.SecretKeySelector", "core.v1.LocalObjectReference"},
    {"core.v1.ConfigMapEnvSource", "core.v1.LocalObjectReference"},
    {"core.v1.SecretEnvSource", "core.v1.LocalObjectReference"},
};

/* Members of internal types that stand in another order than in v1. */
static const struct {
    const char *type, *members;
} orders[] = {
    {"core.v1.PodSpec",
     "volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds "
     "activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName automountServiceAccountToken nodeName "
     "securityContext imagePullSecrets hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations "
     "hostAliases priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName overhead "
     "enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims resources"},
    {"core.v1.PodSecurityContext",
     "hostNetwork hostPID hostIPC shareProcessNamespace hostUsers seLinuxOptions windowsOptions runAsUser runAsGroup "
     "runAsNonRoot supplementalGroups supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile "
     "appArmorProfile seLinuxChangePolicy"},
    {"core.v1.PersistentVolumeSource",
     "gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd quobyte iscsi flexVolume cinder cephfs fc "
     "flocker azureFile vsphereVolume azureDisk photonPersistentDisk portworxVolume scaleIO local storageos csi"},
    {"core.v1.VolumeSource",
     "hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs "
     "persistentVolumeClaim rbd quobyte flexVolume cinder cephfs flocker downwardAPI fc azureFile configMap "
     "vsphereVolume azureDisk photonPersistentDisk projected portworxVolume scaleIO storageos csi ephemeral image"},
};

/* Pointers of v1 that are plain values inside. */
static const char *const plain_values[][2] = {{"core.v1.ServiceAccountTokenProjection", "expirationSeconds"}};

/* Go structs that are one word in JSON. */
#define INT_FIELD(n)                                                                                                   \
    {                                                                                                                  \
        .name = n, .go_name = n, .base = SB_INT64, .go_type = "int64", .go_whole = "int64"                             \
    }
#define TEXT_FIELD(n)                                                                                                  \
    {                                                                                                                  \
        .name = n, .go_name = n, .base = SB_STRING, .go_type = "string", .go_whole = "string"                          \
    }
static const struct schema_field amount_fields[] = {INT_FIELD("value"), INT_FIELD("scale")};
static const struct schema_type amount_type = {
    .name = "resource.int64Amount", .go_name = "resource.int64Amount", .fields = amount_fields, .field_count = 2};
static const struct schema_field quantity_fields[] = {
    {.name = "i",
     .go_name = "i",
     .base = SB_OBJECT,
     .type = &amount_type,
     .go_type = "resource.int64Amount",
     .go_whole = "resource.int64Amount"},
    TEXT_FIELD("s"),
    TEXT_FIELD("Format"),
};
static const struct schema_type quantity_type = {
    .name = "resource.Quantity", .go_name = "resource.Quantity", .fields = quantity_fields, .field_count = 3};
static const struct schema_field int_or_string_fields[] = {INT_FIELD("Type"), INT_FIELD("IntVal"),
                                                           TEXT_FIELD("StrVal")};
static const struct schema_type int_or_string_type = {
    .name = "intstr.IntOrString", .go_name = "intstr.IntOrString", .fields = int_or_string_fields, .field_count = 3};

/* -- types -- */

static struct go_type value_type(const struct schema_field *f, const struct schema_type *holder)
{
    struct go_type t = {.kind = GO_SCALAR, .field = f, .holder = holder};
    if (f->base == SB_OBJECT || f->base == SB_QUANTITY || f->base == SB_INT_OR_STRING)
        t.kind = GO_STRUCT;
    t.of = f->base == SB_QUANTITY ? &quantity_type : f->base == SB_INT_OR_STRING ? &int_or_string_type : f->type;
    t.quantity = f->base == SB_QUANTITY;
    return t;
}

static bool is_pointer(const struct schema_field *f, const struct schema_type *holder)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_values); i++) {
        if (strcmp(plain_values[i][0], holder->name) == 0 && strcmp(plain_values[i][1], f->name) == 0)
            return false;
    }
    return f->nullable_pointer;
}

static struct go_type field_type(const struct schema_field *f, const struct schema_type *holder)
{
    struct go_type t = {.field = f, .holder = holder};
    if (f->shape == SHAPE_LIST)
        t.kind = GO_SLICE;
    else if (f->shape != SHAPE_ONE)
        t.kind = GO_MAP;
    else if (is_pointer(f, holder))
        t.kind = GO_PTR;
    else
        return value_type(f, holder);
    return t;
}

struct go_type go_element(const struct go_type *t)
{
    return value_type(t->field, t->holder);
}

static const struct schema_type *embedded_in(const struct schema_type *t)
{
    for (size_t i = 0; i < ARRAY_LEN(embedded); i++) {
        if (strcmp(embedded[i][0], t->name) == 0)
            return schema_type(embedded[i][1]);
    }
    return NULL;
}

static void member_add(struct go_members *out, char *take_name, struct go_type type, const char *json_name)
{
    out->items = xrealloc(out->items, (out->len + 1) * sizeof *out->items);
    out->items[out->len++] = (struct go_member){take_name, type, json_name};
}

static void field_add(struct go_members *out, const struct schema_field *f, const struct schema_type *holder)
{
    char *name = xstrdup(f->go_name != NULL ? f->go_name : f->name);
    if (f->go_name == NULL)
        name[0] = (char)toupper((unsigned char)name[0]);
    member_add(out, name, field_type(f, holder), f->name);
}

static void ordered_members(const struct schema_type *t, const char *order, struct go_members *out)
{
    _auto_strlist_ struct strlist names = {0};
    const struct schema_type *spec = schema_type("core.v1.PodSpec");
    strlist_split(&names, order, ' ');
    for (size_t i = 0; i < names.len; i++) {
        const char *name = names.items[i];
        const struct schema_field *f = schema_field(t, name, strlen(name));
        if (f == NULL && strcmp(t->name, "core.v1.PodSecurityContext") == 0)
            f = schema_field(spec, name, strlen(name));
        if (f != NULL)
            field_add(out, f, t);
    }
}

void go_members_of(const struct schema_type *t, struct go_members *out)
{
    const struct schema_type *inner = embedded_in(t);
    bool inner_done = false;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        if (strcmp(orders[i].type, t->name) == 0) {
            ordered_members(t, orders[i].members, out);
            return;
        }
    }
    for (size_t i = 0; i < t->field_count; i++) {
        const struct schema_field *f = &t->fields[i];
        bool of_inner = inner != NULL && schema_field(inner, f->name, strlen(f->name)) != NULL && f->inlined;
        if (!of_inner) {
            field_add(out, f, t);
        } else if (!inner_done) {
            struct go_type type = {.kind = GO_STRUCT, .holder = t, .of = inner};
            member_add(out, xstrdup(strrchr(inner->name, '.') + 1), type, NULL);
            inner_done = true;
        }
    }
}

void go_members_release(struct go_members *m)
{
    for (size_t i = 0; i < m->len; i++)
        free(m->items[i].name);
    free(m->items);
    *m = (struct go_members){0};
}

/* -- values -- */

static json_t *quantity_object(const json_t *v)
{
    char text[QUANTITY_TEXT_LEN];
    int64_t number;
    int scale;
    const char *format;
    qty_text(v, text);
    go_quantity_parts(v, &number, &scale, &format);
    return json_pack("{s:{s:I,s:I},s:s,s:s}", "i", "value", (json_int_t)number, "scale", (json_int_t)scale, "s", text,
                     "Format", format);
}

const json_t *go_value_of(const struct go_type *t, const json_t *v, json_t *keep)
{
    json_t *made = NULL;
    if (v == NULL || t->kind != GO_STRUCT || t->of == NULL)
        return v;
    if (t->of == &quantity_type && !json_is_object(v))
        made = quantity_object(v);
    else if (t->of == &int_or_string_type && !json_is_object(v))
        made = json_pack("{s:I,s:I,s:s}", "Type", (json_int_t)json_is_string(v), "IntVal",
                         (json_int_t)json_integer_value(v), "StrVal", json_is_string(v) ? json_string_value(v) : "");
    if (made == NULL)
        return v;
    json_array_append_new(keep, made);
    return made;
}

const json_t *go_member_value(const struct go_member *m, const json_t *holder, json_t *keep)
{
    const json_t *v = m->json_name != NULL ? vget(holder, m->json_name) : holder;
    if ((m->type.kind == GO_SLICE && json_array_size(v) == 0) || (m->type.kind == GO_MAP && json_object_size(v) == 0))
        return NULL;
    return go_value_of(&m->type, v, keep);
}

bool go_is_zero(const struct go_type *t, const json_t *v, json_t *keep)
{
    if (v == NULL)
        return true;
    if (t->kind == GO_SCALAR)
        return json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0) ||
               (json_is_integer(v) && json_integer_value(v) == 0);
    if (t->kind != GO_STRUCT)
        return false;
    _cleanup_(go_members_release) struct go_members members = {0};
    go_members_of(t->of, &members);
    for (size_t i = 0; i < members.len; i++) {
        if (!go_is_zero(&members.items[i].type, go_member_value(&members.items[i], v, keep), keep))
            return false;
    }
    return true;
}

char *go_map_key_text(const struct go_type *map, const char *key)
{
    _auto_buf_ struct buf b = BUF_INIT;
    if (strstr(map->field->go_whole, "ResourceList") != NULL)
        buf_addc(&b, 's'); /* keys of this map have a String method */
    buf_add_quoted(&b, key, strlen(key));
    return buf_steal(&b, NULL);
}

/* -- the walk -- */

static struct go_node *node_new(struct go_type type, char *take_name, struct go_value x, struct go_value y)
{
    struct go_node *n = xcalloc(1, sizeof *n);
    n->type = type;
    n->name = take_name;
    n->x = x;
    n->y = y;
    return n;
}

void go_node_free(struct go_node *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->len; i++)
        go_node_free(n->children[i]);
    free(n->children);
    free(n->name);
    free(n);
}

static void node_add(struct go_node *parent, struct go_node *child)
{
    if (parent->len == parent->cap) {
        parent->cap = parent->cap != 0 ? parent->cap * 2 : 8;
        parent->children = xrealloc(parent->children, parent->cap * sizeof(struct go_node *));
    }
    parent->children[parent->len++] = child;
    parent->same += child->same;
    parent->diff += child->diff;
    parent->descendants += child->descendants + 1;
    if (parent->depth < child->depth + 1)
        parent->depth = child->depth + 1;
}

static struct go_node *walk(struct go_type type, char *take_name, struct go_value x, struct go_value y, json_t *keep);

static void leaf(struct go_node *n, bool equal)
{
    n->same = equal;
    n->diff = !equal;
}

static struct go_value present(const json_t *v)
{
    return (struct go_value){true, v};
}

static void walk_struct(struct go_node *n, json_t *keep)
{
    _cleanup_(go_members_release) struct go_members members = {0};
    go_members_of(n->type.of, &members);
    for (size_t i = 0; i < members.len; i++) {
        const struct go_member *m = &members.items[i];
        node_add(n, walk(m->type, xstrdup(m->name), present(go_member_value(m, n->x.v, keep)),
                         present(go_member_value(m, n->y.v, keep)), keep));
    }
}

static void walk_map(struct go_node *n, json_t *keep)
{
    struct go_type element = go_element(&n->type);
    _auto_strlist_ struct strlist keys = {0};
    sorted_keys(n->x.v, &keys);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)n->y.v, key, value)
    {
        if (json_object_get(n->x.v, key) == NULL)
            strlist_add(&keys, key);
    }
    strlist_sort(&keys);
    for (size_t i = 0; i < keys.len; i++) {
        const json_t *x = json_object_get(n->x.v, keys.items[i]), *y = json_object_get(n->y.v, keys.items[i]);
        node_add(n, walk(element, go_map_key_text(&n->type, keys.items[i]),
                         (struct go_value){x != NULL, go_value_of(&element, x, keep)},
                         (struct go_value){y != NULL, go_value_of(&element, y, keep)}, keep));
    }
}

static struct go_node *walk_pair(struct go_node *list, const json_t *x, const json_t *y, json_t *keep)
{
    struct go_type element = go_element(&list->type);
    return walk(element, NULL, (struct go_value){x != NULL, go_value_of(&element, x, keep)},
                (struct go_value){y != NULL, go_value_of(&element, y, keep)}, keep);
}

/* Between two equal elements: pair what is similar, in order; the rest was removed or added. */
static void walk_gap(struct go_node *n, size_t i, size_t i_end, size_t j, size_t j_end, json_t *keep)
{
    while (i < i_end && j < j_end) {
        const json_t *x = json_array_get(n->x.v, i++), *y = json_array_get(n->y.v, j++);
        struct go_node *pair = walk_pair(n, x, y, keep);
        if (pair->same + 1 >= pair->diff) {
            node_add(n, pair);
            continue;
        }
        go_node_free(pair);
        node_add(n, walk_pair(n, x, NULL, keep));
        node_add(n, walk_pair(n, NULL, y, keep));
    }
    while (i < i_end)
        node_add(n, walk_pair(n, json_array_get(n->x.v, i++), NULL, keep));
    while (j < j_end)
        node_add(n, walk_pair(n, NULL, json_array_get(n->y.v, j++), keep));
}

static bool elements_equal(const json_t *x, const json_t *y, struct go_node *list, json_t *keep)
{
    struct go_node *pair = walk_pair(list, x, y, keep);
    bool equal = pair->diff == 0;
    go_node_free(pair);
    return equal;
}

/* Lists too long to align are paired from their beginning. */
enum { ALIGN_MAX = 10000 };

static void walk_slice(struct go_node *n, json_t *keep)
{
    size_t nx = json_array_size(n->x.v), ny = json_array_size(n->y.v), width = ny + 1;
    if (nx * ny > ALIGN_MAX) {
        walk_gap(n, 0, nx, 0, ny, keep);
        return;
    }
    _auto_free_ size_t *common = xcalloc((nx + 1) * width, sizeof *common); /* of what follows (i, j) */
    _auto_free_ bool *equal = xcalloc(nx * ny + 1, sizeof *equal);
    for (size_t i = nx; i-- > 0;) {
        for (size_t j = ny; j-- > 0;) {
            bool same = elements_equal(json_array_get(n->x.v, i), json_array_get(n->y.v, j), n, keep);
            size_t down = common[(i + 1) * width + j], right = common[i * width + j + 1];
            equal[i * ny + j] = same;
            common[i * width + j] = same ? common[(i + 1) * width + j + 1] + 1 : down > right ? down : right;
        }
    }
    size_t i = 0, j = 0, gap_i = 0, gap_j = 0;
    while (i < nx && j < ny) {
        if (equal[i * ny + j]) {
            walk_gap(n, gap_i, i, gap_j, j, keep);
            node_add(n, walk_pair(n, json_array_get(n->x.v, i++), json_array_get(n->y.v, j++), keep));
            gap_i = i;
            gap_j = j;
        } else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) {
            i++;
        } else {
            j++;
        }
    }
    walk_gap(n, gap_i, nx, gap_j, ny, keep);
}

static bool scalars_equal(const struct go_type *t, const json_t *x, const json_t *y)
{
    if (t->quantity)
        return json_equal(vget(x, "i"), vget(y, "i")); /* normalised by go_quantity_parts() */
    if (x == NULL || y == NULL)
        return go_is_zero(t, x, NULL) && go_is_zero(t, y, NULL);
    return json_equal(x, y);
}

static struct go_node *walk(struct go_type type, char *take_name, struct go_value x, struct go_value y, json_t *keep)
{
    struct go_node *n = node_new(type, take_name, x, y);
    bool reference = type.kind == GO_PTR || type.kind == GO_SLICE || type.kind == GO_MAP;
    if (!x.valid || !y.valid)
        leaf(n, false);
    else if (type.kind == GO_SCALAR || type.quantity)
        leaf(n, scalars_equal(&type, x.v, y.v));
    else if (reference && (x.v == NULL || y.v == NULL))
        leaf(n, x.v == y.v);
    else if (type.kind == GO_STRUCT)
        walk_struct(n, keep);
    else if (type.kind == GO_MAP)
        walk_map(n, keep);
    else if (type.kind == GO_SLICE)
        walk_slice(n, keep);
    else
        node_add(n, walk_pair(n, x.v, y.v, keep));
    return n;
}

struct go_node *go_compare(const struct schema_type *t, const json_t *x, const json_t *y, json_t *keep)
{
    struct go_type root = {.kind = GO_STRUCT, .of = t};
    return walk(root, NULL, present(x), present(y), keep);
}
