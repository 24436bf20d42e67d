/* storage.c - the storage.k8s.io kinds: classes, attachments, CSI drivers and nodes.
 *
 * THREADS: pure functions. Source: pkg/apis/storage/validation. */
#include "api/validate/kinds_int.h"
#include "api/validate/pod_int.h"

/* -- storage classes -- */

static void parameters_check(const struct change *c)
{
    enum { MAX_COUNT = 512, MAX_SIZE = 256 * 1024 };
    const json_t *parameters = vget(c->obj, "parameters");
    const struct vpath *p = FIELD(NULL, "parameters");
    const char *key;
    json_t *value;
    size_t total = 0;
    json_object_foreach((json_t *)parameters, key, value)
    {
        if (key[0] == '\0')
            v_invalid(c->errs, p, key, "field can not be empty.");
        total += strlen(key) + json_string_length(value);
    }
    if (total > MAX_SIZE)
        v_too_long(c->errs, p, MAX_SIZE);
    if (json_object_size(parameters) > MAX_COUNT)
        v_too_long(c->errs, p, MAX_COUNT);
}

static void topology_requirement_check(const struct change *c, const struct vpath *p, const json_t *req)
{
    _auto_strlist_ struct strlist seen = {0};
    const json_t *values = vget(req, "values");
    const struct vpath *at = FIELD(p, "values");
    if (json_array_size(values) == 0)
        v_required(c->errs, at, NULL);
    for (size_t i = 0; i < json_array_size(values); i++) {
        if (strlist_has(&seen, vitem(values, i)))
            v_duplicate(c->errs, ITEM(at, i), vitem(values, i));
        strlist_add(&seen, vitem(values, i));
    }
    v_name(c->errs, FIELD(p, "key"), vstr(req, "key"), rule_qualified);
}

static void topology_term_check(const struct change *c, const struct vpath *p, const json_t *term)
{
    _auto_strlist_ struct strlist keys = {0};
    size_t i;
    json_t *req;
    json_array_foreach(vget(term, "matchLabelExpressions"), i, req)
    {
        const struct vpath *at = ITEM(p, i);
        topology_requirement_check(c, at, req);
        if (strlist_has(&keys, vstr(req, "key")))
            v_duplicate(c->errs, FIELD(at, "key"), vstr(req, "key"));
        strlist_add(&keys, vstr(req, "key"));
    }
}

/* A term as a map of key to sorted values, to compare terms whatever their order. Returns new. */
static json_t *term_map(const json_t *term)
{
    json_t *map = json_object();
    size_t i;
    json_t *req;
    json_array_foreach(vget(term, "matchLabelExpressions"), i, req)
    {
        _auto_strlist_ struct strlist values = {0};
        const json_t *list = vget(req, "values");
        for (size_t k = 0; k < json_array_size(list); k++)
            strlist_add(&values, vitem(list, k));
        strlist_sort(&values);
        _auto_free_ char *joined = strlist_join(&values, "\n");
        json_object_set_new(map, vstr(req, "key"), json_string(joined));
    }
    return map;
}

/* The real server's list of earlier terms begins with one empty entry per term, so an empty term meets those too. */
static void topologies_check(const struct change *c)
{
    const json_t *terms = vget(c->obj, "allowedTopologies");
    const struct vpath *p = FIELD(NULL, "allowedTopologies");
    _auto_json_ json_t *earlier = json_array();
    size_t i, j;
    json_t *term, *other;
    json_array_foreach(terms, i, term) json_array_append_new(earlier, json_object());
    json_array_foreach(terms, i, term)
    {
        const struct vpath *at = FIELD(ITEM(p, i), "matchLabelExpressions");
        topology_term_check(c, at, term);
        json_t *map = term_map(term);
        json_array_foreach(earlier, j, other)
        {
            if (json_equal(map, other))
                v_duplicate(c->errs, at, "");
        }
        json_array_append_new(earlier, map);
    }
}

void class_create(const struct change *c)
{
    static const char *const reclaim[] = {"Delete", "Retain", NULL};
    static const char *const binding[] = {"Immediate", "WaitForFirstConsumer", NULL};
    const char *provisioner = vstr(c->obj, "provisioner"), *policy = vstr(c->obj, "reclaimPolicy");
    change_meta_create(c);
    if (provisioner[0] == '\0')
        v_required(c->errs, FIELD(NULL, "provisioner"), NULL);
    else
        v_name(c->errs, FIELD(NULL, "provisioner"), provisioner, rule_qualified_nocase);
    parameters_check(c);
    if (policy[0] != '\0' && !one_of(policy, reclaim))
        v_unsupported(c->errs, FIELD(NULL, "reclaimPolicy"), policy, reclaim);
    if (!vhas(c->obj, "volumeBindingMode"))
        v_required(c->errs, FIELD(NULL, "volumeBindingMode"), NULL);
    v_choice_opt(c->errs, NULL, c->obj, "volumeBindingMode", binding);
    topologies_check(c);
}

void class_update(const struct change *c)
{
    static const char *const fixed[] = {"parameters", "provisioner", "reclaimPolicy"};
    class_create(c);
    change_meta_update(c);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (go_equal_field(c->res->type, fixed[i], c->obj, c->old))
            continue;
        _auto_free_ char *detail = xasprintf("updates to %s are forbidden.", fixed[i]);
        v_forbidden(c->errs, FIELD(NULL, fixed[i]), detail);
    }
    v_immutable_str(c->errs, FIELD(NULL, "volumeBindingMode"), vstr(c->obj, "volumeBindingMode"),
                    vstr(c->old, "volumeBindingMode"));
}

/* -- classes of attributes -- */

void attributes_class_create(const struct change *c)
{
    const char *driver = vstr(c->obj, "driverName");
    change_meta_create(c);
    if (driver[0] == '\0')
        v_required(c->errs, FIELD(NULL, "driverName"), NULL);
    else
        v_name(c->errs, FIELD(NULL, "driverName"), driver, rule_qualified_nocase);
    if (json_object_size(vget(c->obj, "parameters")) == 0)
        v_required(c->errs, FIELD(NULL, "parameters"), "must contain at least one key/value pair");
    else
        parameters_check(c);
}

void attributes_class_update(const struct change *c)
{
    change_meta_update(c);
    v_immutable_str(c->errs, FIELD(NULL, "driverName"), vstr(c->obj, "driverName"), vstr(c->old, "driverName"));
    if (!go_equal_field(c->res->type, "parameters", c->obj, c->old))
        v_forbidden(c->errs, FIELD(NULL, "parameters"), "updates to parameters are forbidden.");
}

/* -- volume attachments -- */

static void attachment_source_check(const struct change *c, const json_t *source, const struct vpath *p)
{
    static const char exactly_one[] = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    const json_t *volume = vget(source, "inlineVolumeSpec");
    bool named = vhas(source, "persistentVolumeName");
    if (volume == NULL && !named)
        v_required(c->errs, p, exactly_one);
    else if (volume != NULL && named)
        v_forbidden(c->errs, p, exactly_one);
    else if (named && vstr(source, "persistentVolumeName")[0] == '\0')
        v_required(c->errs, FIELD(p, "persistentVolumeName"), "must specify non empty persistentVolumeName");
    else if (volume != NULL)
        pv_spec_check(volume, true, FIELD(p, "inlineVolumeSpec"), c->errs);
}

static void attachment_status_check(const struct change *c)
{
    enum { MAX_METADATA = 256 * 1024, MAX_MESSAGE = 1024 };
    static const char *const failures[] = {"attachError", "detachError"};
    const json_t *status = vget(c->obj, "status");
    const struct vpath *p = FIELD(NULL, "status");
    const char *key;
    json_t *value;
    size_t total = 0;
    json_object_foreach(vget(status, "attachmentMetadata"), key, value)
    {
        if (key[0] == '\0')
            v_required(c->errs, FIELD(p, "attachmentMetadata"), NULL);
        total += strlen(key) + json_string_length(value);
    }
    if (total > MAX_METADATA)
        v_too_long(c->errs, FIELD(p, "attachmentMetadata"), MAX_METADATA);
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        if (strlen(vstr(vget(status, failures[i]), "message")) > MAX_MESSAGE)
            v_too_long(c->errs, FIELD(FIELD(p, failures[i]), "message"), MAX_MESSAGE);
    }
}

static void attachment_check(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec");
    const struct vpath *p = FIELD(NULL, "spec");
    change_meta_create(c);
    v_required_str(c->errs, p, spec, "attacher");
    attachment_source_check(c, vget(spec, "source"), FIELD(p, "source"));
    v_name(c->errs, FIELD(p, "nodeName"), vstr(spec, "nodeName"), rule_subdomain);
    attachment_status_check(c);
}

void attachment_create(const struct change *c)
{
    const json_t *spec = vget(c->obj, "spec"), *source = vget(spec, "source");
    const struct vpath *p = FIELD(NULL, "spec");
    attachment_check(c);
    v_csi_driver_name(c->errs, FIELD(p, "attacher"), vstr(spec, "attacher"));
    if (vhas(source, "persistentVolumeName"))
        v_name(c->errs, FIELD(FIELD(p, "source"), "persistentVolumeName"), vstr(source, "persistentVolumeName"),
               rule_subdomain);
}

void attachment_update(const struct change *c)
{
    attachment_check(c);
    if (!go_equal_field(c->res->type, "spec", c->obj, c->old))
        v_invalid_go(c->errs, FIELD(NULL, "spec"),
                     go_struct_text("storage.v1.VolumeAttachmentSpec", vget(c->obj, "spec")), "field is immutable");
}

/* -- CSI drivers -- */

static void token_requests_check(const struct change *c)
{
    _auto_strlist_ struct strlist audiences = {0};
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "tokenRequests");
    size_t i;
    json_t *request;
    json_array_foreach(jat(c->obj, "spec.tokenRequests"), i, request)
    {
        const struct vpath *at = ITEM(p, i);
        if (strlist_has(&audiences, vstr(request, "audience")))
            v_duplicate(c->errs, FIELD(at, "audience"), vstr(request, "audience"));
        strlist_add(&audiences, vstr(request, "audience"));
        if (vhas(request, "expirationSeconds"))
            v_token_lifetime(c->errs, FIELD(at, "expirationSeconds"), vint(request, "expirationSeconds"));
    }
}

void csidriver_create(const struct change *c)
{
    static const char *const policies[] = {"File", "None", "ReadWriteOnceWithFSType", NULL};
    static const char *const modes[] = {"Persistent", "Ephemeral", NULL};
    static const struct {
        const char *member, *told_as;
    } needed[] = {{"attachRequired", "attachedRequired"},
                  {"podInfoOnMount", "podInfoOnMount"},
                  {"storageCapacity", "storageCapacity"}};
    const json_t *spec = vget(c->obj, "spec"), *list = vget(spec, "volumeLifecycleModes");
    const struct vpath *p = FIELD(NULL, "spec");
    change_meta_create(c);
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        if (!vhas(spec, needed[i].member))
            v_required(c->errs, FIELD(p, needed[i].told_as), NULL);
    }
    v_choice_opt(c->errs, p, spec, "fsGroupPolicy", policies);
    token_requests_check(c);
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!one_of(vitem(list, i), modes))
            v_unsupported(c->errs, FIELD(p, "volumeLifecycleModes"), vitem(list, i), modes);
    }
}

void csidriver_update(const struct change *c)
{
    const json_t *now = vget(c->obj, "spec"), *before = vget(c->old, "spec");
    const struct vpath *p = FIELD(NULL, "spec");
    change_meta_update(c);
    if (!go_equal_field("storage.v1.CSIDriverSpec", "attachRequired", now, before))
        v_invalid_bool(c->errs, FIELD(p, "attachedRequired"), vbool(now, "attachRequired"), "field is immutable");
    if (!go_equal_field("storage.v1.CSIDriverSpec", "volumeLifecycleModes", now, before))
        v_invalid_go(c->errs, FIELD(p, "volumeLifecycleModes"),
                     go_list_text("storage.VolumeLifecycleMode", vget(now, "volumeLifecycleModes")),
                     "field is immutable");
    token_requests_check(c);
}

/* -- CSI nodes -- */

static void csinode_driver_check(const struct change *c, const struct vpath *p, const json_t *driver,
                                 struct strlist *names)
{
    enum { NODE_ID_MAX = 192 };
    _auto_strlist_ struct strlist keys = {0};
    const json_t *topology = vget(driver, "topologyKeys");
    const struct vpath *topology_at = FIELD(p, "topologyKeys");
    v_csi_driver_name(c->errs, FIELD(p, "name"), vstr(driver, "name"));
    v_required_str(c->errs, p, driver, "nodeID");
    if (strlen(vstr(driver, "nodeID")) > NODE_ID_MAX)
        v_invalid(c->errs, FIELD(p, "nodeID"), vstr(driver, "nodeID"), "must be 192 characters or less");
    v_nonnegative_field(c->errs, FIELD(p, "allocatable"), vget(driver, "allocatable"), "count");
    if (strlist_has(names, vstr(driver, "name")))
        v_duplicate(c->errs, FIELD(p, "name"), vstr(driver, "name"));
    strlist_add(names, vstr(driver, "name"));
    for (size_t i = 0; i < json_array_size(topology); i++) {
        struct msgs m = {0};
        const char *key = vitem(topology, i);
        if (key[0] == '\0')
            v_required(c->errs, topology_at, NULL);
        if (strlist_has(&keys, key))
            v_duplicate(c->errs, topology_at, key);
        strlist_add(&keys, key);
        rule_qualified(key, &m);
        for (size_t k = 0; k < m.len; k++)
            v_invalid_go(c->errs, topology_at, go_list_text("string", topology), m.text[k]);
    }
}

void csinode_create(const struct change *c)
{
    _auto_strlist_ struct strlist names = {0};
    const struct vpath *p = FIELD(FIELD(NULL, "spec"), "drivers");
    size_t i;
    json_t *driver;
    change_meta_create(c);
    json_array_foreach(jat(c->obj, "spec.drivers"), i, driver) csinode_driver_check(c, ITEM(p, i), driver, &names);
}

void csinode_update(const struct change *c)
{
    size_t i, j;
    json_t *now, *before;
    csinode_create(c);
    json_array_foreach(jat(c->old, "spec.drivers"), i, before)
    {
        json_array_foreach(jat(c->obj, "spec.drivers"), j, now)
        {
            if (strcmp(vstr(now, "name"), vstr(before, "name")) == 0 &&
                !go_equal("storage.v1.CSINodeDriver", now, before))
                v_invalid_go(c->errs, FIELD(NULL, "CSINodeDriver"), go_struct_text("storage.v1.CSINodeDriver", now),
                             "field is immutable");
        }
    }
}

/* -- storage capacities -- */

void capacity_create(const struct change *c)
{
    static const char *const amounts[] = {"capacity", "maximumVolumeSize"};
    change_meta_create(c);
    v_label_selector(c->errs, FIELD(NULL, "nodeTopology"), vget(c->obj, "nodeTopology"));
    v_name(c->errs, FIELD(NULL, "storageClassName"), vstr(c->obj, "storageClassName"), rule_subdomain);
    for (size_t i = 0; i < ARRAY_LEN(amounts); i++) {
        if (vhas(c->obj, amounts[i]))
            v_qty_nonnegative(c->errs, FIELD(NULL, amounts[i]), vget(c->obj, amounts[i]));
    }
}

void capacity_update(const struct change *c)
{
    const json_t *topology = vget(c->obj, "nodeTopology");
    capacity_create(c);
    change_meta_update(c);
    if (!go_equal_field(c->res->type, "nodeTopology", c->obj, c->old))
        v_invalid_go(c->errs, FIELD(NULL, "nodeTopology"),
                     topology != NULL ? go_struct_text("meta.v1.LabelSelector", topology) : NULL, "field is immutable");
    v_immutable_str(c->errs, FIELD(NULL, "storageClassName"), vstr(c->obj, "storageClassName"),
                    vstr(c->old, "storageClassName"));
}
