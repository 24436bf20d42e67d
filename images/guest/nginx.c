/* nginx.c - the guest's web server behind nginx's command line, configuration and manners.
 *
 * A master process (PID 1 of the container) reads the configuration, opens logs and sockets as root and keeps a worker
 * that serves as the configured user. SIGHUP starts a new worker with the new configuration and lets the old one
 * finish; SIGQUIT ends gracefully, SIGTERM and SIGINT at once; SIGUSR1 reopens the logs (by a new worker). All end with
 * 0, as nginx does. */
#include "guest.h"
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONF_FILE    "/etc/nginx/nginx.conf"
#define VERSION_FILE "/usr/share/nginx/version"

static char product[64];

static void read_version(void)
{
    char version[32] = "1.29.1";
    FILE *f = fopen(VERSION_FILE, "re");
    if (f && !fgets(version, sizeof version, f))
        snprintf(version, sizeof version, "1.29.1");
    if (f)
        fclose(f);
    version[strcspn(version, "\n")] = '\0';
    snprintf(product, sizeof product, "nginx/%s", version);
}

static size_t error_page(const struct web *w, int code, const char *reason, char *out, size_t size)
{
    const char *name = w->tokens ? w->product : "nginx";
    return (size_t)snprintf(
        out, size,
        "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n"
        "<hr><center>%s</center>\r\n</body>\r\n</html>\r\n",
        code, reason, code, reason, name);
}

static int open_log(const char *path, int fallback)
{
    if (path && (strncmp(path, "/dev/std", 8) == 0 || strcmp(path, "stderr") == 0))
        return strstr(path, "out") ? 1 : 2;
    char target[256];
    const ssize_t n = path ? readlink(path, target, sizeof target - 1) : -1;
    if (n > 0) { /* the image links its logs to the container's output */
        target[n] = '\0';
        if (strcmp(target, "/dev/stdout") == 0 || strcmp(target, "/proc/1/fd/1") == 0)
            return 1;
        if (strcmp(target, "/dev/stderr") == 0 || strcmp(target, "/proc/1/fd/2") == 0)
            return 2;
    }
    const int fd = path && *path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    return fd >= 0 ? fd : fallback;
}

static void defaults(struct web *w)
{
    *w = (struct web){
        .product = product, .log_tail = " \"-\"", .tokens = true, .error_page = error_page, .user = "nginx"};
    w->access_log = "/var/log/nginx/access.log";
    w->error_log = "/var/log/nginx/error.log";
    w->pid_file = "/run/nginx.pid";
    w->access_fd = 1;
    w->error_fd = 2;
    w->http.root = "/usr/share/nginx/html";
    w->http.default_type = "text/plain";
}

/* As nginx: to standard error, and to the log with a time. */
static void emerg(const char *text)
{
    fprintf(stderr, "nginx: [emerg] %s\n", text);
}

static int load(struct web *w, const char *conf)
{
    char text[2048] = "";
    defaults(w);
    if (nginx_conf_read(w, conf, text, sizeof text) == 0)
        return 0;
    web_log(w, "emerg", "%s", text);
    emerg(text);
    return -1;
}

static int test(const char *conf)
{
    struct web w;
    if (load(&w, conf) < 0) {
        fprintf(stderr, "nginx: configuration file %s test failed\n", conf);
        return 1;
    }
    fprintf(stderr, "nginx: the configuration file %s syntax is ok\nnginx: configuration file %s test is successful\n",
            conf, conf);
    return 0;
}

/* ---- signals to the running master ---- */

static int send_signal(const char *name)
{
    static const struct {
        const char *name;
        int sig;
    } signals[] = {{"stop", SIGTERM}, {"quit", SIGQUIT}, {"reload", SIGHUP}, {"reopen", SIGUSR1}};
    FILE *f = fopen("/run/nginx.pid", "re");
    int pid = 0;
    if (!f || fscanf(f, "%d", &pid) != 1 || pid <= 0) {
        emerg(f ? "invalid PID number \"\" in \"/run/nginx.pid\""
                : "open() \"/run/nginx.pid\" failed (2: No such file or directory)");
        return 1;
    }
    fclose(f);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcmp(signals[i].name, name) == 0) {
            if (kill(pid, signals[i].sig) == 0)
                return 0;
            fprintf(stderr, "nginx: [alert] kill(%d, %d) failed (%d: %s)\n", pid, signals[i].sig, errno,
                    strerror(errno));
            return 1;
        }
    fprintf(stderr, "nginx: invalid option: \"-s %s\"\n", name);
    return 1;
}

/* ---- master and worker ---- */

/* Overwrites the words the process was started with. They are followed by the environment, which is moved away the
 * first time. */
static void set_title(char **argv, const char *title)
{
    static char *end;
    if (!end) {
        end = argv[0];
        for (char **a = argv; *a; a++)
            if (*a == end)
                end = *a + strlen(*a) + 1;
        for (char **v = environ; *v; v++)
            if (*v == end) {
                end = *v + strlen(*v) + 1;
                *v = strdup(*v);
            }
    }
    memset(argv[0], 0, (size_t)(end - argv[0]));
    snprintf(argv[0], (size_t)(end - argv[0]), "%s", title);
}

static pid_t start_worker(const struct web *w, const struct sockets *sockets, char **argv)
{
    const pid_t pid = fork();
    if (pid != 0) {
        if (pid > 0)
            web_log(w, "notice", "start worker process %d", (int)pid);
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    set_title(argv, "nginx: worker process");
    web_drop_user(w->user);
    web_serve(w, sockets);
    _exit(0);
}

static void announce(const struct web *w)
{
    struct utsname u;
    uname(&u);
    web_log(w, "notice", "using the \"epoll\" event method");
    web_log(w, "notice", "%s", product);
    web_log(w, "notice", "OS: Linux %s", u.release);
    web_log(w, "notice", "start worker processes");
}

static void write_pid(const struct web *w)
{
    FILE *f = fopen(w->pid_file, "we");
    if (!f)
        return;
    fprintf(f, "%d\n", (int)getpid());
    fclose(f);
}

struct master {
    struct web web;
    const char *conf;
    char **argv;
    struct sockets sockets;
    pid_t worker;
    bool ending;
};

static void open_logs(struct web *w)
{
    w->access_fd = open_log(w->access_log, -1);
    w->error_fd = open_log(w->error_log, 2);
}

static int open_sockets(struct master *m)
{
    for (int i = 0; i < 5; i++) { /* a predecessor may still be letting go of the port */
        if (web_listen(&m->web, NULL, &m->sockets) == 0)
            return 0;
        if (errno != EADDRINUSE)
            break;
        usleep(500 * 1000);
    }
    emerg("still could not bind()");
    return -1;
}

/* The old worker goes on with the old configuration until the new one serves; on a fault it simply stays. */
static void reload(struct master *m)
{
    struct web web;
    struct sockets sockets;
    web_log(&m->web, "notice", "signal %d (SIGHUP) received, reconfiguring", SIGHUP);
    if (load(&web, m->conf) < 0)
        return;
    open_logs(&web);
    if (web_listen(&web, &m->sockets, &sockets) < 0)
        return;
    const pid_t old = m->worker;
    m->worker = start_worker(&web, &sockets, m->argv);
    kill(old, SIGQUIT);
    web_close_sockets(&m->sockets, &sockets);
    m->web = web;
    m->sockets = sockets;
}

static void on_signal(struct master *m, int sig)
{
    switch (sig) {
    case SIGHUP:
    case SIGUSR1:
        reload(m);
        break;
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        web_log(&m->web, "notice",
                sig == SIGQUIT ? "signal %d (SIGQUIT) received, shutting down" : "signal %d received, exiting", sig);
        m->ending = true;
        kill(m->worker, sig == SIGQUIT ? SIGQUIT : SIGTERM);
        break;
    default:
        for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;) {
            if (pid != m->worker)
                continue;
            if (m->ending) {
                web_log(&m->web, "notice", "exit");
                unlink(m->web.pid_file);
                exit(0);
            }
            m->worker = start_worker(&m->web, &m->sockets, m->argv);
        }
    }
}

static int run(const char *conf, char **argv)
{
    struct master m = {.conf = conf, .argv = argv};
    sigset_t set;
    sigemptyset(&set);
    const int signals[] = {SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT, SIGCHLD};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (load(&m.web, conf) < 0)
        return 1;
    open_logs(&m.web);
    if (open_sockets(&m) < 0)
        return 1;
    write_pid(&m.web);
    announce(&m.web);
    m.worker = start_worker(&m.web, &m.sockets, argv);
    set_title(argv, "nginx: master process nginx -g daemon off;");
    for (;;) {
        int sig = 0;
        if (sigwait(&set, &sig) == 0)
            on_signal(&m, sig);
    }
}

int nginx_main(int argc, char **argv)
{
    const char *conf = CONF_FILE, *signal_name = NULL;
    bool testing = false, foreground = false;
    read_version();
    for (int opt; (opt = getopt(argc, argv, "vVtTqs:c:g:p:e:h?")) != -1;) {
        switch (opt) {
        case 'v':
        case 'V':
            fprintf(stderr, "nginx version: %s\n", product);
            return 0;
        case 't':
        case 'T':
            testing = true;
            break;
        case 's':
            signal_name = optarg;
            break;
        case 'c':
            conf = strdup(optarg);
            break;
        case 'g':
            foreground |= strstr(optarg, "daemon off") != NULL;
            break;
        default:
            break;
        }
    }
    if (signal_name)
        return send_signal(signal_name);
    if (testing)
        return test(conf);
    if (!foreground && daemon(0, 1) < 0)
        return 1;
    return run(conf, argv);
}
