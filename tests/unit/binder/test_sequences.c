/* The order of the writes a binding, a release, a loss is made of: as recorded from a real 1.32 control plane. A loop
 * of the test's own listens beside the binder and writes down every version of every volume and claim. */
#include "unit/loop_world.h"

#include "binder/binder.h"
#include "sys/fake.h"
#include "volume/keys.h"

#define PV  RES.persistentvolumes
#define PVC RES.persistentvolumeclaims

/* -- listening -- */

static char heard[4096];

static void hear(const struct watch_event *ev, const char *prefix, const char *partner_path)
{
    const json_t *o = ev->obj->tree;
    const char *partner = jstr_or(o, partner_path, "");
    size_t n = strlen(heard);
    if (ev->type == WATCH_DELETED)
        snprintf(heard + n, sizeof heard - n, "%s/%s gone\n", prefix, obj_name(o));
    else
        snprintf(heard + n, sizeof heard - n, "%s/%s %s%s%s%s%s%s\n", prefix, obj_name(o),
                 jstr_or(o, "status.phase", "?"), *partner ? " " : "", partner,
                 jmap(o, "metadata.annotations", ANN_BIND_COMPLETED) ? " completed" : "",
                 jmap(o, "metadata.annotations", ANN_BOUND_BY_CONTROLLER) ? " by-controller" : "",
                 jstr(o, "metadata.deletionTimestamp") ? " deleting" : "");
}

static void map_pv(struct loop *l, const struct watch_event *ev)
{
    (void)l;
    hear(ev, "pv", "spec.claimRef.name");
}

static void map_pvc(struct loop *l, const struct watch_event *ev)
{
    (void)l;
    hear(ev, "pvc", "spec.volumeName");
}

static int nothing(struct loop *l, const char *ns, const char *name, struct err *e)
{
    (void)l;
    (void)ns;
    (void)name;
    (void)e;
    return 0;
}

static const struct loop_watch watches[] = {
    {"persistentvolumes", map_pv}, {"persistentvolumeclaims", map_pvc}, {NULL, NULL}};
static const struct loop_def listener = {.name = "listener", .watches = watches, .reconcile = nothing};

/* -- the table -- */

struct step {
    const char *make;                     /* an object, or … */
    const char *drop;                     /* "pv/NAME", "pvc/NAME": deletes, or … */
    const char *change, *path, *json;     /* "pv/NAME": sets (NULL: removes) a member */
    const char *pv_writes, *claim_writes; /* what is heard of each kind, in order; NULL: not looked at */
};

#define V(name, spec) VOLUME(name, "1Gi", ",'hostPath':{'path':'/mnt/x'}" spec)
#define C(name, spec) CLAIM(name, "500Mi", ",'storageClassName':''" spec)

struct sequence {
    const char *name;
    struct step steps[8];
};

static const struct sequence sequences[] = {
    {"bind, release, delete",
     {
         {.make = V("v", ""), .pv_writes = "pv/v Pending\npv/v Available\n"},
         {.make = C("c", ""),
          .pv_writes = "pv/v Available c by-controller\npv/v Bound c by-controller\n",
          .claim_writes =
              "pvc/c Pending\npvc/c Pending v completed by-controller\npvc/c Bound v completed by-controller\n"},
         {.drop = "pvc/c",
          .pv_writes = "pv/v Released c by-controller\n",
          .claim_writes = "pvc/c Bound v completed by-controller deleting\npvc/c gone\n"},
         {.make = C("c", ""), .pv_writes = "", .claim_writes = "pvc/c Pending\n"},
         {.drop = "pv/v", .pv_writes = "pv/v Released c by-controller deleting\npv/v gone\n"},
     }},
    {"the volume names the claim: no annotation on its side",
     {
         {.make = V("v", ",'claimRef':{'namespace':'default','name':'c'}"),
          .pv_writes = "pv/v Pending c\npv/v Available c\n"},
         {.make = C("other", ""), .pv_writes = "", .claim_writes = "pvc/other Pending\n"},
         {.make = C("c", ""),
          .pv_writes = "pv/v Available c\npv/v Bound c\n",
          .claim_writes =
              "pvc/c Pending\npvc/c Pending v completed by-controller\npvc/c Bound v completed by-controller\n"},
     }},
    {"the volume names a claim of another uid",
     {
         {.make = V("v", ",'claimRef':{'namespace':'default','name':'c','uid':'11111111-1111-1111-1111-111111111111'}"),
          .pv_writes = "pv/v Pending c\npv/v Released c\n"},
     }},
    {"the claim names the volume: no annotation on its side",
     {
         {.make = V("v", ""), .pv_writes = "pv/v Pending\npv/v Available\n"},
         {.make = C("c", ",'volumeName':'v'"),
          .pv_writes = "pv/v Available c by-controller\npv/v Bound c by-controller\n",
          .claim_writes = "pvc/c Pending v\npvc/c Pending v completed\npvc/c Bound v completed\n"},
     }},
    {"a released volume is used again",
     {
         {.make = V("v", "")},
         {.make = C("c", "")},
         {.drop = "pvc/c", .pv_writes = "pv/v Released c by-controller\n"},
         {.change = "pv/v",
          .path = "spec.claimRef",
          .pv_writes = "pv/v Released by-controller\npv/v Available by-controller\n"},
         {.make = C("d", ""), .pv_writes = "pv/v Available d by-controller\npv/v Bound d by-controller\n"},
         {.drop = "pvc/d"},
         {.change = "pv/v", /* only the uid: kept for a claim of that name */
          .path = "spec.claimRef.uid",
          .pv_writes = "pv/v Released d by-controller\npv/v Available d by-controller\n"},
         {.make = C("d", ""), .pv_writes = "pv/v Available d by-controller\npv/v Bound d by-controller\n"},
     }},
    {"the volume of a bound claim vanishes",
     {
         {.make = V("v", "")},
         {.make = C("c", "")},
         {.drop = "pv/v", .pv_writes = "pv/v Bound c by-controller deleting\n", .claim_writes = ""},
         {.change = "pv/v",
          .path = "metadata.finalizers",
          .pv_writes = "pv/v gone\n",
          .claim_writes = "pvc/c Lost v completed by-controller\n"},
         {.make = V("v", ""),
          .pv_writes = "pv/v Pending\npv/v Available\npv/v Available c by-controller\npv/v Bound c by-controller\n",
          .claim_writes = ""},
     }},
    {"recycled",
     {
         {.make = V("v", ",'persistentVolumeReclaimPolicy':'Recycle'")},
         {.make = C("c", "")},
         {.drop = "pvc/c", .pv_writes = "pv/v Released c by-controller\n"},
         {.change = "pod/recycler-for-v",
          .path = "status.phase",
          .json = "'Succeeded'",
          .pv_writes = "pv/v Released\npv/v Available\n"},
     }},
    {"nothing deletes it",
     {
         {.make = V("v", ",'persistentVolumeReclaimPolicy':'Delete'")},
         {.make = C("c", "")},
         {.drop = "pvc/c", .pv_writes = "pv/v Released c by-controller\npv/v Failed c by-controller\n"},
     }},
};

/* -- running it -- */

static const struct resource *kind(const char *ref)
{
    return strncmp(ref, "pvc/", 4) == 0 ? PVC : (strncmp(ref, "pod/", 4) == 0 ? RES.pods : PV);
}

static void do_step(struct loop_world *w, const struct step *s)
{
    if (s->make) {
        make(w, "%s", s->make);
    } else if (s->drop) {
        delete_it(w, kind(s->drop), strchr(s->drop, '/') + 1, NULL);
    } else {
        const struct resource *res = kind(s->change);
        change(w, res, strchr(s->change, '/') + 1, res == RES.pods ? "status" : "", s->path, s->json);
    }
    settle(w);
}

/* The lines of `heard` that begin with the prefix. */
static void lines_of(const char *prefix, char *out)
{
    *out = '\0';
    for (const char *p = heard; *p; p = strchr(p, '\n') + 1) {
        size_t n = (size_t)(strchr(p, '\n') - p) + 1;
        if (strncmp(p, prefix, strlen(prefix)) == 0)
            snprintf(out + strlen(out), sizeof heard - strlen(out), "%.*s", (int)n, p);
    }
}

static void expect(const struct sequence *s, size_t step, const char *prefix, const char *want)
{
    char got[sizeof heard];
    lines_of(prefix, got);
    if (want && !str_eq(got, want))
        fail_msg("%s, step %zu: wanted\n%sheard\n%s", s->name, step + 1, want, got);
}

static void run(const struct sequence *s)
{
    struct loop_world w;
    struct binder_env env = {.machine = machine_open_fake("test")};
    size_t n;
    world_open(&w);
    world_account(&w);
    const struct loop_def *const *loops = binder_loops(&n);
    control_add(w.control, &listener, NULL);
    world_start(&w, loops, n, &env);
    settle(&w);
    for (size_t i = 0; i < ARRAY_LEN(s->steps); i++) {
        const struct step *step = &s->steps[i];
        if (!step->make && !step->drop && !step->change)
            break;
        heard[0] = '\0';
        do_step(&w, step);
        expect(s, i, "pv/", step->pv_writes);
        expect(s, i, "pvc/", step->claim_writes);
    }
    world_close(&w);
    env.machine->ops->close(env.machine);
}

static void test_sequences(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sequences); i++)
        run(&sequences[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sequences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
