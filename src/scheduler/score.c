/* score.c - which of the nodes that would do is best.
 *
 * DESIGN: the default plugins and their weights, one row each. A row gives each node a number; `scale` says how the
 * numbers of all nodes become 0 to 100. Ties go to the first node asked, so that the same cluster always decides alike
 * (the real scheduler draws lots). Source: apis/config/v1/default_plugins.go, plugins/{noderesources, nodeaffinity,
 * tainttoleration, imagelocality}, helper/normalize_score.go.
 *
 * Numbers stand by place in the list of nodes that passed: nobody looks at the others, but who asks how things are in a
 * whole domain. */
#include "scheduler/scheduler_int.h"

#include "api/selector.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEST      100
#define IMAGE_MIN (INT64_C(23) << 20)
#define IMAGE_MAX (INT64_C(1000) << 20)

/* -- resources -- */

static int64_t free_share(int64_t used, int64_t have)
{
    return have <= 0 || used > have ? 0 : (have - used) * BEST / have;
}

static int64_t least_allocated(struct attempt *a, const struct node_info *n)
{
    return (free_share(n->some_cpu + a->me->some_cpu, n->room.cpu) +
            free_share(n->some_memory + a->me->some_memory, n->room.memory)) /
           2;
}

static double share(int64_t used, int64_t have)
{
    return have <= 0 || used >= have ? 1 : (double)used / (double)have;
}

/* Cpu and memory should be used up alike. */
static int64_t balanced(struct attempt *a, const struct node_info *n)
{
    if (!a->me->ask.cpu && !a->me->ask.memory)
        return 0;
    double cpu = share(n->used.cpu + a->me->ask.cpu, n->room.cpu);
    double memory = share(n->used.memory + a->me->ask.memory, n->room.memory);
    double apart = cpu > memory ? cpu - memory : memory - cpu;
    return (int64_t)((1 - apart / 2) * BEST);
}

/* -- the pod's own preferences -- */

static int64_t preferred(struct attempt *a, const struct node_info *n)
{
    int64_t sum = 0;
    size_t i;
    json_t *term;
    json_array_foreach(jat(a->pod, "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"), i,
                       term)
    {
        json_t *as_selector = json_pack("{s:[O]}", "nodeSelectorTerms", jat(term, "preference"));
        if (node_selector_match(as_selector, n->node))
            sum += jint(term, "weight", 0);
        json_decref(as_selector);
    }
    return sum;
}

static bool prefers_none(const struct attempt *a)
{
    return !json_object_get(json_object_get(a->pod, "spec"), "affinity");
}

static int64_t disliked(struct attempt *a, const struct node_info *n)
{
    return taints_disliked(a, n);
}

/* -- images that are there already -- */

/* The name as node.status.images would have it. */
static uint64_t image_hash(const char *image)
{
    char name[512];
    const char *colon = strrchr(image, ':'), *slash = strrchr(image, '/');
    bool tagged = colon && (!slash || colon > slash);
    int len = snprintf(name, sizeof name, "%s%s", image, tagged ? "" : ":latest");
    return str_hash64(name, len > 0 && (size_t)len < sizeof name ? (size_t)len : strlen(name));
}

static int64_t image_bytes(const struct node_info *n, uint64_t name)
{
    for (size_t i = 0; i < n->images_len; i++)
        if (n->images[i].name == name)
            return n->images[i].bytes;
    return 0;
}

/* Adds the image's size to each node that has it, scaled by how many have it. */
static bool add_image(struct attempt *a, uint64_t name, const struct fitting *f, int64_t *out)
{
    const struct cache *c = a->cache;
    size_t have = 0;
    for (size_t i = 0; i < c->len; i++)
        have += image_bytes(c->nodes[i], name) > 0;
    for (size_t k = 0; have && k < f->len; k++)
        out[k] += (int64_t)((double)image_bytes(c->nodes[f->at[k]], name) * (double)have / (double)c->present);
    return have > 0;
}

static bool score_images(struct attempt *a, const struct fitting *f, int64_t *out)
{
    static const char *const lists[] = {"spec.initContainers", "spec.containers"};
    bool any = false;
    int64_t containers = 0;
    size_t i;
    json_t *c;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        json_array_foreach(jat(a->pod, lists[k]), i, c)
        {
            any |= add_image(a, image_hash(jstr_or(c, "image", "")), f, out);
            containers++;
        }
    }
    for (size_t n = 0; any && n < f->len; n++) {
        int64_t most = IMAGE_MAX * containers, sum = out[n] < IMAGE_MIN ? IMAGE_MIN : out[n] > most ? most : out[n];
        out[n] = BEST * (sum - IMAGE_MIN) / (most - IMAGE_MIN);
    }
    return any;
}

/* -- the table -- */

enum scale { AS_IT_IS, OF_THE_MOST, OF_THE_MOST_LESS_IS_BETTER };
static const struct {
    const char *name;
    int64_t weight;
    enum scale scale;
    int64_t (*of)(struct attempt *a, const struct node_info *n); /* a node by itself; or … */
    score_fn all;                                                /* … all at once */
    bool (*silent)(const struct attempt *a);                     /* all would be the same; NULL: they may differ */
} scores[] = {
    {"TaintToleration", 3, OF_THE_MOST_LESS_IS_BETTER, disliked, NULL, NULL},
    {"NodeAffinity", 2, OF_THE_MOST, preferred, NULL, prefers_none},
    {"PodTopologySpread", 2, AS_IT_IS, NULL, score_spread, NULL},
    {"InterPodAffinity", 2, AS_IT_IS, NULL, score_pod_affinity, NULL},
    {"NodeResourcesFit", 1, AS_IT_IS, least_allocated, NULL, NULL},
    {"NodeResourcesBalancedAllocation", 1, AS_IT_IS, balanced, NULL, NULL},
    {"ImageLocality", 1, AS_IT_IS, NULL, score_images, NULL},
};

static void rescale(enum scale scale, int64_t *v, size_t n)
{
    int64_t most = 0;
    bool less = scale == OF_THE_MOST_LESS_IS_BETTER;
    if (scale == AS_IT_IS)
        return;
    for (size_t k = 0; k < n; k++)
        most = v[k] > most ? v[k] : most;
    for (size_t k = 0; k < n; k++) {
        int64_t share = most ? v[k] * BEST / most : 0;
        v[k] = less ? BEST - share : share;
    }
}

/* Adds one row's numbers to the sums. */
static void add_score(struct attempt *a, size_t row, const struct fitting *f, int64_t *one, int64_t *sums)
{
    if (scores[row].silent && scores[row].silent(a))
        return;
    memset(one, 0, f->len * sizeof *one);
    if (scores[row].all && !scores[row].all(a, f, one))
        return;
    for (size_t k = 0; scores[row].of && k < f->len; k++)
        one[k] = scores[row].of(a, a->cache->nodes[f->at[k]]);
    rescale(scores[row].scale, one, f->len);
    for (size_t k = 0; k < f->len; k++)
        sums[k] += scores[row].weight * one[k];
}

int pick_best(struct attempt *a, const struct fitting *f)
{
    if (!f->len)
        return -1;
    _auto_free_ int64_t *sums = xcalloc(f->len, sizeof *sums);
    _auto_free_ int64_t *one = xcalloc(f->len, sizeof *one);
    size_t best = 0;
    spread_defaults(a);
    for (size_t row = 0; row < ARRAY_LEN(scores); row++)
        add_score(a, row, f, one, sums);
    for (size_t k = 1; k < f->len; k++)
        if (sums[k] > sums[best])
            best = k;
    return (int)f->at[best];
}
