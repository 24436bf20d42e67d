/* import_killercoda.c - scenarios of Killercoda and Katacoda: index.json, texts, scripts, assets.
 *
 * DESIGN: scripts run in the shell of the control plane, as there: written to a file, so that they may read their
 * standard input, with kubectl, `k`, and a way to the other node by `ssh`. A background script goes on by itself; it is
 * waited for a while, since readers take their time, and a machine that plays the scenario does not. A verify script is
 * a check by its exit code. Commands that a text offers to be run ({{exec}}) are the step's solution.
 *
 * What is named before: images of machines that are no cluster, programs that a node of ours lacks, downloads.
 * Source: Killercoda's creator documentation; Katacoda's, of which that is a dialect. */
#include "lab/import_int.h"

#include "api/base64.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST       "controlplane"
#define VERIFY_WAIT "20s"
#define SCRIPT_DIR  "/root/.scenario"

/* ---- what a node has beside what it has ---- */

/* The other node is entered by a pod of its own that sees the node's root and processes. */
static const char ssh_script[] =
    "#!/bin/bash\n"
    "# ssh [options] [user@]node [command...]: into a node of this cluster.\n"
    "tty=\n"
    "while [ $# -gt 0 ]; do\n"
    "    case $1 in\n"
    "    -t | -tt) tty=-t ;;\n"
    "    -o | -i | -p | -l | -F) shift ;;\n"
    "    -*) ;;\n"
    "    *) break ;;\n"
    "    esac\n"
    "    shift\n"
    "done\n"
    "[ $# -gt 0 ] || { echo 'usage: ssh [user@]node [command]' >&2; exit 255; }\n"
    "node=${1#*@}; shift\n"
    "case $node in host01 | master | localhost) node=controlplane ;; host02 | worker) node=node01 ;; esac\n"
    "if [ $# -gt 0 ]; then set -- /bin/bash -c \"$*\"; else set -- /bin/bash; fi\n"
    "[ \"$node\" = \"$(hostname)\" ] && exec \"$@\"\n"
    "kubectl get node \"$node\" >/dev/null 2>&1 || { echo \"ssh: Could not resolve hostname $node\" >&2; exit 255; }\n"
    "pod=ssh-$node\n"
    "kubectl -n kube-system get pod \"$pod\" >/dev/null 2>&1 || kubectl -n kube-system apply -f - >/dev/null <<EOF\n"
    "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"$pod\"}, \"spec\": {\n"
    "  \"nodeName\": \"$node\", \"hostNetwork\": true, \"hostPID\": true, \"tolerations\": [{\"operator\": "
    "\"Exists\"}],\n"
    "  \"terminationGracePeriodSeconds\": 0, \"volumes\": [{\"name\": \"root\", \"hostPath\": {\"path\": \"/\"}}],\n"
    "  \"containers\": [{\"name\": \"ssh\", \"image\": \"busybox\", \"command\": [\"sleep\", \"1000000\"],\n"
    "    \"securityContext\": {\"privileged\": true}, \"volumeMounts\": [{\"name\": \"root\", \"mountPath\": "
    "\"/host\"}]}]}}\n"
    "EOF\n"
    "kubectl -n kube-system wait --for=condition=Ready --timeout=60s \"pod/$pod\" >/dev/null || exit 255\n"
    "exec kubectl -n kube-system exec -i $tty \"$pod\" -- chroot /host /usr/bin/env HOME=/root "
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin KUBECONFIG=/etc/kubernetes/admin.conf "
    "\"$@\"\n";

static const char scp_script[] = "#!/bin/bash\n"
                                 "# scp [options] from to: one file, to or from a node.\n"
                                 "while [ $# -gt 2 ]; do case $1 in -o | -i | -P | -F) shift ;; esac; shift; done\n"
                                 "name=${1##*/}\n"
                                 "case $1:$2 in\n"
                                 "*:*:*) ;;\n"
                                 "*) exec cp \"$1\" \"$2\" ;;\n"
                                 "esac\n"
                                 "case $2 in\n"
                                 "*:*) to=${2#*:}; ssh \"${2%%:*}\" \"t=${to:-.}; [ -d \\\"\\$t\\\" ] && t=\\$t/$name; "
                                 "cat >\\\"\\$t\\\"\" <\"$1\" ;;\n"
                                 "*) t=$2; [ -d \"$t\" ] && t=$t/$name; ssh \"${1%%:*}\" \"cat '${1#*:}'\" >\"$t\" ;;\n"
                                 "esac\n";

/* ---- files and scripts on a node ---- */

/* Any bytes. */
static void put_file(struct buf *run, const char *path, const void *data, size_t n, const char *mode)
{
    buf_adds(run, "base64 -d >");
    buf_add_shell_word(run, path);
    buf_adds(run, " <<'END_OF_FILE'\n");
    _auto_buf_ struct buf code = BUF_INIT;
    base64_encode(data, n, &code);
    for (size_t at = 0; at < code.len; at += 100)
        buf_addf(run, "%.*s\n", code.len - at < 100 ? (int)(code.len - at) : 100, code.data + at);
    buf_adds(run, "END_OF_FILE\n");
    if (mode) {
        buf_addf(run, "chmod %s ", mode);
        buf_add_shell_word(run, path);
        buf_addc(run, '\n');
    }
}

/* A text, to be read by people too; carriage returns of other systems' editors left out. Its path is in `out_path`. */
static void put_script(struct buf *run, const char *name, const char *text, char out_path[128])
{
    snprintf(out_path, 128, SCRIPT_DIR "/%s", name);
    buf_addf(run, "mkdir -p %s\ncat >%s <<'END_OF_SCRIPT'\n", SCRIPT_DIR, out_path);
    for (; *text; text++)
        if (*text != '\r')
            buf_addc(run, *text);
    buf_addf(run, "\nEND_OF_SCRIPT\nchmod +x %s\ncd /root\n", out_path);
}

static json_t *on_node(const char *node, const struct buf *run)
{
    return json_pack("{s:s, s:s}", "run", buf_str(run), "node", node);
}

/* kubectl and the other node, as scripts expect them. */
static void prepare_node(struct import *im, const char *node)
{
    _auto_buf_ struct buf run = BUF_INIT;
    put_file(&run, "/usr/local/bin/ssh", ssh_script, strlen(ssh_script), "755");
    put_file(&run, "/usr/local/bin/scp", scp_script, strlen(scp_script), "755");
    buf_adds(&run, "ln -sf \"$(command -v kubectl)\" /usr/local/bin/k\n"
                   "grep -qs 'alias k=' /root/.bashrc || echo 'alias k=kubectl' >>/root/.bashrc\n");
    import_add(im->tree, "setup", on_node(node, &run));
}

/* ---- what can not be done ---- */

static const char *const lacking[] = {"docker", "podman",  "nerdctl",   "crictl",  "systemctl", "journalctl", "service",
                                      "apt",    "apt-get", "yum",       "snap",    "kubeadm",   "minikube",   "etcdctl",
                                      "helm",   "git",     "terraform", "ansible", NULL};

/* Where a command may stand: at the beginning, or behind what separates them. */
static bool begins_command(const char *line, const char *at)
{
    while (at > line && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    if (at == line || strchr(";|&(`", at[-1]))
        return true;
    static const char *const words[] = {"sudo", "then", "do", "else", "if", "while", "!"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const size_t n = strlen(words[i]);
        if ((size_t)(at - line) >= n && strncmp(at - n, words[i], n) == 0)
            return true;
    }
    return false;
}

static void look_for_programs(struct import *im, const char *file, int number, const char *line)
{
    for (size_t i = 0; lacking[i]; i++) {
        const size_t n = strlen(lacking[i]);
        for (const char *at = strstr(line, lacking[i]); at; at = strstr(at + n, lacking[i]))
            if (begins_command(line, at) && (!at[n] || isspace((unsigned char)at[n]))) {
                import_fault(im, file, number, "%s is not to be had on a node of Stowage", lacking[i]);
                break;
            }
    }
}

/* A name with a dot that is none of the cluster's: the world outside. */
static void look_for_downloads(struct import *im, const char *file, int number, const char *line)
{
    static const char *const inside[] = {"localhost", ".svc", ".local", "$", NULL};
    for (const char *at = strstr(line, "://"); at; at = strstr(at + 3, "://")) {
        _auto_free_ char *host = xstrndup(at + 3, strcspn(at + 3, "/:'\" \t"));
        bool outside = strchr(host, '.') && strspn(host, "0123456789.") != strlen(host);
        for (size_t i = 0; inside[i]; i++)
            outside = outside && !strstr(host, inside[i]);
        if (outside)
            import_fault(im, file, number, "%s is out of reach: a scenario runs without the network", host);
    }
}

/* whole: the file's text, of which the script is a part; NULL: the script is the file. */
static void look_into(struct import *im, const char *file, const char *text, const char *whole)
{
    int number = 1;
    _auto_strlist_ struct strlist lines = {0};
    strlist_split(&lines, text, '\n');
    for (size_t i = 0; i < lines.len; i++, number++) {
        const char *line = lines.items[i] + strspn(lines.items[i], " \t");
        if (*line == '#' || !*line)
            continue;
        const int at = whole ? import_line(whole, line) : number;
        look_for_programs(im, file, at, line);
        look_for_downloads(im, file, at, line);
    }
}

static void look_into_script(struct import *im, const char *file, const char *text)
{
    look_into(im, file, text, NULL);
}

/* ---- a part of the scenario: intro, a step, finish ---- */

struct part {
    const json_t *of; /* of index.json */
    json_t *step;
    char *name;
};

/* The text of a file that index.json names; false: a fault. */
static bool read_named(struct import *im, const char *file, struct buf *out)
{
    struct err e = ERR_INIT;
    if (lab_file(im->lab, file, out, &e) == 0) {
        _auto_json_ json_t *text = json_string(buf_str(out));
        if (!text)
            import_fault(im, file, 1, "this is no text in UTF-8");
        return text;
    }
    _auto_buf_ struct buf index = BUF_INIT;
    struct err ignored = ERR_INIT;
    lab_file(im->lab, "index.json", &index, &ignored);
    import_fault(im, "index.json", import_line(buf_str(&index), file), "%s", e.msg);
    return false;
}

/* Texts have marks for a browser's buttons. */
static char *without_marks(const char *text)
{
    _auto_buf_ struct buf out = BUF_INIT;
    while (*text) {
        const char *open = strstr(text, "{{"), *close = open ? strstr(open, "}}") : NULL;
        static const char *const marks[] = {"exec", "copy", "open"};
        if (!close) {
            buf_adds(&out, text);
            break;
        }
        bool mark = false;
        for (size_t i = 0; i < ARRAY_LEN(marks); i++)
            mark = mark || str_starts(open + 2 + strspn(open + 2, " "), marks[i]);
        buf_add(&out, text, (size_t)((mark ? open : close + 2) - text));
        text = close + 2;
    }
    return buf_steal(&out, NULL);
}

/* The commands that the text offers to run: `one`{{exec}}, or a fenced block with the mark behind it. */
static void offered(const char *text, struct buf *out)
{
    for (const char *mark = strstr(text, "`{{exec"); mark; mark = strstr(mark + 1, "`{{exec")) {
        const bool fence = mark - text >= 2 && mark[-1] == '`' && mark[-2] == '`';
        const char *end = fence ? mark - 2 : mark, *begin = end;
        if (fence) {
            while (begin > text && !str_starts(begin - 1, "```"))
                begin--;
            begin += strcspn(begin, "\n"); /* behind ```bash */
        } else {
            while (begin > text && begin[-1] != '`')
                begin--;
        }
        if (begin < end)
            buf_addf(out, "%.*s\n", (int)(end - begin), begin);
    }
}

static void add_text(struct import *im, const struct part *p)
{
    const char *file = jstr(p->of, "text");
    _auto_buf_ struct buf text = BUF_INIT, commands = BUF_INIT, run = BUF_INIT;
    char path[128];
    if (!file || !read_named(im, file, &text))
        return;
    _auto_free_ char *plain = without_marks(buf_str(&text));
    json_object_set_new(p->step, "text", json_string(plain));
    offered(buf_str(&text), &commands);
    if (!commands.len)
        return;
    look_into(im, file, buf_str(&commands), buf_str(&text));
    _auto_free_ char *name = xasprintf("%s-commands", p->name);
    put_script(&run, name, buf_str(&commands), path);
    buf_addf(&run, "/bin/bash %s </dev/null\n", path);
    import_add(p->step, "solution", on_node(FIRST, &run));
}

/* The first of two names that the part has. */
static const char *either(const json_t *of, const char *a, const char *b)
{
    return jstr(of, a) ? jstr(of, a) : jstr(of, b);
}

/* Both at once, as a browser's terminal shows the one while the other works. */
static void add_scripts(struct import *im, const struct part *p)
{
    const char *background = either(p->of, "background", "courseData"),
               *foreground = either(p->of, "foreground", "code");
    _auto_buf_ struct buf run = BUF_INIT, back = BUF_INIT, front = BUF_INIT;
    char path[128];
    if (background && read_named(im, background, &back)) {
        _auto_free_ char *name = xasprintf("%s-background", p->name);
        look_into_script(im, background, buf_str(&back));
        put_script(&run, name, buf_str(&back), path);
        buf_addf(
            &run,
            "mkdir -p /var/log/killercoda; rm -f %s.done\n"
            "(setsid -w %s >/var/log/killercoda/%s_stdout.log 2>/var/log/killercoda/%s_stderr.log; echo $? >%s.done) "
            "</dev/null >/dev/null 2>&1 &\n",
            path, path, name, name, path);
    }
    if (foreground && read_named(im, foreground, &front)) {
        _auto_free_ char *name = xasprintf("%s-foreground", p->name);
        char path_front[128];
        look_into_script(im, foreground, buf_str(&front));
        put_script(&run, name, buf_str(&front), path_front);
        buf_addf(&run, "%s </dev/null\n", path_front);
    }
    if (back.len)
        buf_addf(&run, "for i in $(seq 600); do [ -e %s.done ] && break; sleep 0.1; done\n", path);
    if (run.len) {
        buf_adds(&run, "true\n");
        import_add(p->step, "setup", on_node(FIRST, &run));
    }
}

static void add_verify(struct import *im, const struct part *p)
{
    const char *file = jstr(p->of, "verify");
    _auto_buf_ struct buf text = BUF_INIT, run = BUF_INIT;
    char path[128];
    if (!file || !read_named(im, file, &text))
        return;
    look_into_script(im, file, buf_str(&text));
    _auto_free_ char *script = xasprintf("%s-verify", p->name), *name = xasprintf("%s: %s", p->name, file);
    put_script(&run, script, buf_str(&text), path);
    buf_addf(&run, "%s </dev/null\n", path);
    import_add(p->step, "checks",
               json_pack("{s:s, s:s, s:s, s:o}", "name", name, "within", VERIFY_WAIT, "look",
                         "the step's text, and what its commands print", "node", on_node(FIRST, &run)));
}

static void add_part(struct import *im, const json_t *of, const char *name, const char *title)
{
    if (!json_is_object(of))
        return;
    struct part p = {.of = of, .name = xstrdup(name)};
    p.step = import_step(im, name, jstr_or(of, "title", title));
    add_scripts(im, &p);
    add_text(im, &p);
    add_verify(im, &p);
    free(p.name);
}

/* ---- the whole ---- */

/* Files below assets/, by a pattern, put into a folder of the node. */
static void add_asset(struct import *im, const char *node, const json_t *asset)
{
    const char *file = jstr_or(asset, "file", ""), *target = jstr_or(asset, "target", "/root");
    _auto_free_ char *pattern = xasprintf("%s/assets/%s", im->lab->dir, file);
    _auto_buf_ struct buf run = BUF_INIT;
    glob_t found = {0};
    glob(pattern, 0, NULL, &found);
    if (!found.gl_pathc)
        import_fault(im, "index.json", 1, "there is no assets/%s", file);
    buf_adds(&run, "mkdir -p ");
    buf_add_shell_word(&run, target);
    buf_addc(&run, '\n');
    for (size_t i = 0; i < found.gl_pathc; i++) {
        _auto_buf_ struct buf data = BUF_INIT;
        struct err e = ERR_INIT;
        const char *inside = found.gl_pathv[i] + strlen(im->lab->dir) + 1, *slash = strrchr(inside, '/');
        _auto_free_ char *path = xasprintf("%s%s%s", target, str_ends(target, "/") ? "" : "/", slash + 1);
        if (lab_bytes(im->lab, inside, &data, &e) < 0)
            import_fault(im, "index.json", 1, "%s", e.msg);
        else
            put_file(&run, path, data.data, data.len, jstr(asset, "chmod"));
    }
    globfree(&found);
    import_add(im->tree, "setup", on_node(node, &run));
}

static void add_assets(struct import *im, const json_t *assets, int nodes)
{
    static const struct {
        const char *theirs, *ours;
        int nodes;
    } hosts[] = {{"host01", FIRST, 1}, {"client", FIRST, 1},    {"controlplane", FIRST, 1},
                 {"master", FIRST, 1}, {"host02", "node01", 2}, {"node01", "node01", 2}};
    const char *host;
    size_t i, h;
    json_t *list;
    const json_t *asset;
    json_object_foreach((json_t *)(uintptr_t)assets, host, list)
    {
        for (h = 0; h < ARRAY_LEN(hosts) && !str_eq(hosts[h].theirs, host); h++)
            ;
        if (h == ARRAY_LEN(hosts) || hosts[h].nodes > nodes)
            import_fault(im, "index.json", 1, "assets: there is no machine %s in this scenario", host);
        else
            json_array_foreach(list, i, asset) add_asset(im, hosts[h].ours, asset);
    }
}

/* How many nodes an image of theirs has; 0: it is none that can be had here. */
static int nodes_of(const char *image)
{
    static const struct {
        const char *start;
        int nodes;
    } images[] = {{"kubernetes-kubeadm-2nodes", 2},
                  {"kubernetes-kubeadm-1node", 1},
                  {"kubernetes-cluster-running", 2},
                  {"kubernetes-cluster", 2},
                  {"kubernetes", 1},
                  {"minikube", 1},
                  {"k3s", 1},
                  {"ubuntu", 1}};
    for (size_t i = 0; i < ARRAY_LEN(images); i++)
        if (str_starts(image, images[i].start))
            return images[i].nodes;
    return 0;
}

static int64_t minutes_of(const json_t *index)
{
    const char *time = jstr_or(index, "time", "");
    const long n = strtol(time, NULL, 10);
    return n > 0 && n < 1000 ? n : 0;
}

int import_killercoda(struct import *im, struct err *e)
{
    _auto_buf_ struct buf text = BUF_INIT;
    json_error_t fault;
    size_t i;
    const json_t *of;
    if (lab_file(im->lab, "index.json", &text, e) < 0)
        return -1;
    _auto_json_ json_t *index = json_loadb(buf_str(&text), text.len, 0, &fault);
    if (!index) {
        import_fault(im, "index.json", fault.line, "%s", fault.text);
        return 0;
    }
    const char *image = jstr_or(index, "backend.imageid", "kubernetes-kubeadm-2nodes");
    const int nodes = nodes_of(image);
    if (!nodes)
        import_fault(im, "index.json", import_line(buf_str(&text), "imageid"),
                     "backend.imageid \"%s\" is no machine with a Kubernetes cluster", image);
    json_object_set_new(im->tree, "title", json_string(jstr_or(index, "title", im->lab->name)));
    if (jstr(index, "description"))
        json_object_set_new(im->tree, "about", json_string(jstr(index, "description")));
    if (minutes_of(index))
        json_object_set_new(im->tree, "minutes", json_integer(minutes_of(index)));
    json_object_set_new(im->tree, "cluster",
                        json_pack("{s:s, s:i}", "profile", "killercoda", "nodes", nodes ? nodes : 1));
    prepare_node(im, FIRST);
    if (nodes > 1)
        prepare_node(im, "node01");
    add_assets(im, jat(index, "details.assets"), nodes);
    add_part(im, jat(index, "details.intro"), "intro", "Introduction");
    json_array_foreach(jat(index, "details.steps"), i, of)
    {
        _auto_free_ char *name = xasprintf("step%zu", i + 1);
        add_part(im, of, name, NULL);
    }
    add_part(im, jat(index, "details.finish"), "finish", "Finish");
    return 0;
}
