/* format.c - the tables of lab.yaml: what may stand where.
 *
 * When you add a field, the code that reads it is: lab.c (lab, step), play.c (actions), check_<kind>.c (checks). */
#include "lab/format.h"

#define END                                                                                                            \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

/* ---- what several have ---- */

static const struct field match_fields[] = {
    {"is", FIELD_SCALAR, "The whole text, white space around it left out", .pick = true},
    {"contains", FIELD_TEXT, "A part of it", .pick = true},
    {"matches", FIELD_TEXT, "An extended regular expression that fits somewhere in it", .pick = true},
    {"lacks", FIELD_TEXT, "What must not be a part of it", .pick = true},
    {"atLeast", FIELD_SCALAR, "A number or size that it reaches", .pick = true},
    {"atMost", FIELD_SCALAR, "A number or size that it does not exceed", .pick = true},
    {"oneOf", FIELD_SCALARS, "Texts of which it is one", .pick = true},
    END,
};
static const struct shape match_shape = {"a match", match_fields};

/* ---- checks ---- */

static const struct field jsonpath_fields[] = {
    {"of", FIELD_TEXT, "The object: pvc/claim-log-1", .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"path", FIELD_TEXT, "A kubectl JSONPath: {.status.phase}", .required = true},
    {"is", FIELD_SCALAR, "What it gives", .pick = true},
    {"contains", FIELD_TEXT, "A part of what it gives", .pick = true},
    {"matches", FIELD_TEXT, "An extended regular expression", .pick = true},
    {"lacks", FIELD_TEXT, "What must not be a part of it", .pick = true},
    {"atLeast", FIELD_SCALAR, "A number or size that it reaches", .pick = true},
    {"atMost", FIELD_SCALAR, "A number or size that it does not exceed", .pick = true},
    {"oneOf", FIELD_SCALARS, "Texts of which it is one", .pick = true},
    END,
};
static const struct shape jsonpath_shape = {"a jsonpath check", jsonpath_fields};

static const struct field exec_fields[] = {
    {"pod", FIELD_TEXT, "The pod: its name, or a label selector (app=web) of which the first running one is taken",
     .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"container", FIELD_TEXT, "Its container; the first"},
    {"command", FIELD_TEXTS, "The command; one text is given to sh -c", .required = true},
    {"code", FIELD_INT, "Its exit code; 0"},
    {"output", FIELD_OBJECT, "What it writes to stdout", &match_shape},
    END,
};
static const struct shape exec_shape = {"an exec check", exec_fields};

static const struct field node_fields[] = {
    {"node", FIELD_TEXT, "The node; the first"},
    {"run", FIELD_TEXT, "A script for its shell", .required = true},
    {"code", FIELD_INT, "Its exit code; 0"},
    {"output", FIELD_OBJECT, "What it writes", &match_shape},
    END,
};
static const struct shape node_shape = {"a node check", node_fields};

static const struct field http_fields[] = {
    {"service", FIELD_TEXT, "The service that is asked", .pick = true},
    {"pod", FIELD_TEXT, "Or the pod", .pick = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"port", FIELD_INT, "The port; 80"},
    {"path", FIELD_TEXT, "The path; /"},
    {"status", FIELD_INT, "The status of the answer; 200"},
    {"body", FIELD_OBJECT, "The answer's body", &match_shape},
    END,
};
static const struct shape http_shape = {"an http check", http_fields};

static const struct field bytes_fields[] = {
    {"claim", FIELD_TEXT, "The claim whose volume is looked into, through a running pod that mounts it",
     .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"path", FIELD_TEXT, "A file on the volume: index.html", .required = true},
    {"content", FIELD_OBJECT, "What is in it; without this the file is only there", &match_shape},
    {"absent", FIELD_BOOL, "The file must not be there"},
    END,
};
static const struct shape bytes_shape = {"a bytes check", bytes_fields};

static const struct field event_fields[] = {
    {"of", FIELD_TEXT, "The object it is about: pvc/claim-log-1", .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"type", FIELD_TEXT, "Normal or Warning", .values = (const char *const[]){"Normal", "Warning", NULL}},
    {"reason", FIELD_TEXT, "Its reason"},
    {"message", FIELD_OBJECT, "Its message", &match_shape},
    END,
};
static const struct shape event_shape = {"an event check", event_fields};

static const char *const changes[] = {"there", "created", "changed", "deleted", NULL};
static const struct field change_fields[] = {
    {"of", FIELD_TEXT, "The object: pod/web; or a kind: pod", .required = true},
    {"selector", FIELD_TEXT, "Of a kind: those with these labels"},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"is", FIELD_TEXT, "What became of it; there: created, changed, or there from the beginning", .values = changes},
    {"with", FIELD_TREE, "A part of what it then was"},
    END,
};
static const struct shape change_shape = {"a change", change_fields};

static const struct field identity_fields[] = {
    {"of", FIELD_TEXT, "The object: pvc/data", .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    END,
};
static const struct shape identity_shape = {"an object", identity_fields};

static const char *const question_kinds[] = {"choice", "text", "number", NULL};
static const struct field quiz_fields[] = {
    {"ask", FIELD_TEXT, "The question", .required = true},
    {"kind", FIELD_TEXT, "How it is answered; text", .values = question_kinds},
    {"choices", FIELD_SCALARS, "What can be chosen"},
    {"answer", FIELD_SCALARS, "The right answer, or several that are accepted; case and spaces do not matter",
     .required = true},
    END,
};
static const struct shape quiz_shape = {"a quiz", quiz_fields};

static const struct field shell_fields[] = {
    {"run", FIELD_TEXT, "A script for bash, with kubectl pointed at the cluster", .required = true},
    {"code", FIELD_INT, "Its exit code; 0"},
    {"output", FIELD_OBJECT, "What it writes to stdout", &match_shape},
    END,
};
static const struct shape shell_shape = {"a shell check", shell_fields};

/* What can be looked at. */
#define CONDITIONS                                                                                                     \
    {"assert", FIELD_TREE, "A part of an object that must be there: what it names must be equal", .pick = true},       \
        {"error", FIELD_TREE, "A part of an object that must not be there", .pick = true},                             \
        {"jsonpath", FIELD_OBJECT, "What a path of an object gives", &jsonpath_shape, .pick = true},                   \
        {"exec", FIELD_OBJECT, "A command in a pod", &exec_shape, .pick = true},                                       \
        {"node", FIELD_OBJECT, "A script on a node", &node_shape, .pick = true},                                       \
        {"http", FIELD_OBJECT, "An answer of a service or pod", &http_shape, .pick = true},                            \
        {"bytes", FIELD_OBJECT, "What is on a claim's volume", &bytes_shape, .pick = true},                            \
        {"event", FIELD_OBJECT, "An event that was seen", &event_shape, .pick = true},                                 \
        {"order", FIELD_LIST, "Events that were seen in this order", &event_shape, .pick = true},                      \
        {"history", FIELD_LIST, "What became of objects since the step began, one after the other", &change_shape,     \
         .pick = true},                                                                                                \
        {"same", FIELD_OBJECT, "An object that must be the one it was when the step began", &identity_shape,           \
         .pick = true},                                                                                                \
        {"recreated", FIELD_OBJECT, "An object that must be another one than then", &identity_shape, .pick = true},    \
        {"quiz", FIELD_OBJECT, "A question", &quiz_shape, .pick = true},                                               \
    {                                                                                                                  \
        "shell", FIELD_OBJECT, "A script", &shell_shape, .pick = true                                                  \
    }

static const struct field condition_fields[] = {CONDITIONS, END};
static const struct shape condition_shape = {"a condition", condition_fields};

static const struct field check_fields[] = {
    {"name", FIELD_TEXT, "What is checked, told to the student", .required = true},
    {"points", FIELD_INT, "What it counts; 1"},
    {"within", FIELD_DURATION, "How long it is waited for; 10s"},
    {"look", FIELD_TEXT, "Where to look when it fails"},
    CONDITIONS,
    {"all", FIELD_LIST, "Several conditions, which hold at the same time", &condition_shape, .pick = true},
    END,
};
const struct shape check_shape = {"a check", check_fields};

/* ---- actions ---- */

static const struct field disk_fields[] = {
    {"name", FIELD_TEXT, "Its Name tag; its id is then $DISK_<NAME> in scripts and manifests", .required = true},
    {"zone", FIELD_TEXT, "Where it is; us-east-1a"},
    {"size", FIELD_SIZE, "Its size", .required = true},
    {"type", FIELD_TEXT, "Its type; gp3"},
    END,
};
static const struct shape disk_shape = {"a disk", disk_fields};

static const struct field wait_fields[] = {
    {"of", FIELD_TEXT, "The object: pod/web", .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"path", FIELD_TEXT, "A kubectl JSONPath", .required = true},
    {"is", FIELD_SCALAR, "What it shall give", .required = true},
    {"within", FIELD_DURATION, "How long; 60s"},
    END,
};
static const struct shape wait_shape = {"a wait", wait_fields};

static const struct field delete_fields[] = {
    {"of", FIELD_TEXT, "The object: pod/web", .required = true},
    {"namespace", FIELD_TEXT, "Its namespace"},
    {"wait", FIELD_BOOL, "Until it is gone; true"},
    END,
};
static const struct shape delete_shape = {"a deletion", delete_fields};

static const struct field answer_fields[] = {
    {"check", FIELD_TEXT, "The name of the quiz's check", .required = true},
    {"with", FIELD_SCALAR, "The answer", .required = true},
    END,
};
static const struct shape answer_shape = {"an answer", answer_fields};

static const struct field action_fields[] = {
    {"apply", FIELD_TEXTS, "Manifests below the lab's folder", .pick = true},
    {"objects", FIELD_TREES, "Objects, written here", .pick = true},
    {"run", FIELD_TEXT, "A script for bash, with kubectl pointed at the cluster", .pick = true},
    {"disk", FIELD_OBJECT, "A disk of the cloud", &disk_shape, .pick = true},
    {"wait", FIELD_OBJECT, "Until an object is so", &wait_shape, .pick = true},
    {"delete", FIELD_OBJECT, "An object is deleted", &delete_shape, .pick = true},
    {"answer", FIELD_OBJECT, "A question of this step is answered", &answer_shape, .pick = true},
    {"node", FIELD_TEXT, "The script runs on this node"},
    {"namespace", FIELD_TEXT, "Of objects that name none"},
    END,
};
const struct shape action_shape = {"an action", action_fields};

/* ---- the lab ---- */

static const struct field hint_fields[] = {
    {"text", FIELD_TEXT, "The hint", .required = true},
    {"cost", FIELD_INT, "Points it takes away; 0"},
    END,
};
static const struct shape hint_shape = {"a hint", hint_fields};

static const struct field step_fields[] = {
    {"name", FIELD_TEXT, "A short name, no spaces", .required = true},
    {"title", FIELD_TEXT, "Its title"},
    {"text", FIELD_TEXT, "What to do, in Markdown"},
    {"file", FIELD_FILE, "Or a Markdown file below the lab's folder"},
    {"setup", FIELD_LIST, "Before it begins", &action_shape},
    {"faults", FIELD_LIST, "What is broken before it begins, not told", &action_shape},
    {"checks", FIELD_LIST, "What is judged", &check_shape},
    {"hints", FIELD_LIST, "Help, one after the other", &hint_shape},
    {"solution", FIELD_LIST, "How it is solved", &action_shape},
    END,
};
static const struct shape step_shape = {"a step", step_fields};

static const char *const profiles[] = {"eks", "killercoda", "kind", "minikube", "none", NULL};
static const struct field cluster_fields[] = {
    {"profile", FIELD_TEXT, "The classes it starts with; eks", .values = profiles},
    {"nodes", FIELD_INT, "Its nodes; 2"},
    {"zones", FIELD_TEXTS, "Zones of its nodes, in turn; us-east-1a, a, b, c, a…"},
    {"disks", FIELD_LIST, "Disks that are there before", &disk_shape},
    {"objects", FIELD_TREES, "Objects that are there before: classes, namespaces"},
    {"classes", FIELD_TEXTS, "Storage classes that must be there, of the profile or of its objects"},
    {"images", FIELD_TEXTS, "Images that must be there"},
    END,
};
static const struct shape cluster_shape = {"a cluster", cluster_fields};

static const struct field equivalent_fields[] = {
    {"nearMiss", FIELD_TEXT, "As `stowage lab lint --play` names it", .required = true},
    {"why", FIELD_TEXT, "Why it solves the lab just as well", .required = true},
    END,
};
static const struct shape equivalent_shape = {"an equivalent", equivalent_fields};

static const struct field lab_fields[] = {
    {"title", FIELD_TEXT, "Its title", .required = true},
    {"about", FIELD_TEXT, "What it teaches, in a sentence or two"},
    {"topics", FIELD_TEXTS, "Words to find it by"},
    {"minutes", FIELD_INT, "How long it takes"},
    {"cluster", FIELD_OBJECT, "The cluster it wants", &cluster_shape},
    {"variants", FIELD_MAP, "Names and values, of which each student gets one: ${name} in texts and manifests"},
    {"namespace", FIELD_TEXT, "Of objects that name none; it is made first, and $NAMESPACE in scripts"},
    {"setup", FIELD_LIST, "Before the first step", &action_shape},
    {"steps", FIELD_LIST, "Its steps", &step_shape, .required = true},
    {"equivalent", FIELD_LIST, "Near-misses of its solution that solve it just as well", &equivalent_shape},
    END,
};
const struct shape lab_shape = {"a lab", lab_fields};
