/* session_int.h - one REPL: its cluster, its namespace, its lines. Private to repl.
 *
 * How to add a word: kubectl's verbs come by themselves; a verb of stowage's is a row in words[] of cluster_words.c;
 * what changes the prompt itself is a row in rows[] of prompt_words.c. THREADS: one. */
#ifndef STOWAGE_CLI_REPL_SESSION_INT_H
#define STOWAGE_CLI_REPL_SESSION_INT_H

#include "base/buf.h"
#include "cli/own_cluster.h"
#include "cli/repl/line_int.h"
#include "cli/repl/words_int.h"
#include "kubectl/kubectl.h"

#include <signal.h>
#include <sys/types.h>

#define EXIT_INTERRUPTED 130
#define EXIT_NO_COMMAND  127

struct job {
    pid_t pid; /* leads a group */
    char *text;
};

struct session {
    const struct cli *cli;
    /* what was asked for */
    const char *kubeconfig, *context, *data_given, *ns_given, *profile;
    int nodes;
    bool stop_at_failure;
    /* the cluster */
    struct own_cluster own; /* .up: this session started it */
    char *home;             /* the user's data directory: labs are kept there */
    char *data;             /* of the cluster; NULL: not one of ours on this machine */
    char *config;           /* its kubeconfig; NULL: the usual ones */
    char *label;            /* as the prompt names it */
    struct kubectl k;
    int shell_config; /* a file in memory: see session_shell_config(); 0: none so far */
    /* the lab that is under way */
    int64_t attempt; /* 0: none */
    char *lab, *log;
    /* the prompt */
    struct line *line;
    int cancel;       /* an event descriptor: Ctrl-C */
    struct buf typed; /* the lines of the command that runs */
    json_t *files;    /* and the files that it reads, in a lab (session_files.h) */
    bool interactive, colour, done;
    volatile sig_atomic_t *ended; /* a signal other than Ctrl-C came */
    int last;                     /* exit code of the last command */
    struct job *jobs;
    size_t njobs;
};

/* Where a command reads and writes; borrowed. */
struct io {
    FILE *out, *err;
    int in;
    bool given; /* in is something that was given to it: a file, a pipe, a heredoc */
};

/* -- place.c: which cluster -- */
int session_open(struct session *s, struct err *e);
void session_close(struct session *s);
/* After a word of a lab: another cluster may be meant now. */
/* Index of the step that the lab is at; 0 without one. */
int64_t session_lab_step(const struct session *s);
int session_look_again(struct session *s, struct err *e);
/* Asks the kubeconfig again, which a command has changed. */
int session_reconnect(struct session *s, struct err *e);
void session_use(struct session *s, const char *ns);
/* A kubeconfig for the user's shell, in which the prompt's namespace is the context's; NULL: it is already. Good while
 * the session lives. Returns new. */
char *session_shell_config(struct session *s);
/* The API of the cluster, and its kinds, asked once; NULL with `e`. Borrowed. */
struct client *session_client(struct session *s, struct err *e);
const struct kinds *session_kinds(struct session *s, struct err *e);

/* -- run.c: commands -- */
/* Returns the exit code of the last. */
int session_run(struct session *s, const struct script *script, const struct io *io);
/* One command, its words as they are meant. */
int session_run_words(struct session *s, const struct strlist *words, const struct io *io);
int session_substitute(void *session, const char *text, struct buf *out, struct err *e);
bool session_interrupted(const struct session *s);
void session_calm(struct session *s); /* the interruption has been heeded */

/* -- read.c: lines until a command is whole -- */
/* Text for `-f -` up to ---end, EOF or Ctrl-D: 0; 1: interrupted. */
int session_read_text(struct session *s, struct buf *out);
/* Until the input ends, `exit`, or a failure with -e. Returns the exit code. */
int session_loop(struct session *s);

/* -- program.c: processes -- */
struct program {
    const char *const *argv;
    int in, out, err;
    bool background; /* a group of its own, nobody waits */
};
/* The process; -1 with `e`. */
pid_t program_start(const struct program *p, struct err *e);
int program_wait(const struct session *s, pid_t pid); /* its exit code */
bool program_there(const char *name);                 /* in PATH */
/* On a machine without kubectl the shell's commands find ours by that name, on whatever cluster the prompt has. */
void offer_kubectl(const struct session *s);
void jobs_add(struct session *s, pid_t pid, const char *text);
void jobs_notice(struct session *s, FILE *out); /* those that have ended */
void jobs_end(struct session *s);
void jobs_list(const struct session *s, FILE *out);

/* -- prompt_words.c -- */
struct prompt_word {
    const char *name, *usage, *summary;
    int (*run)(struct session *s, int argc, char **argv, const struct io *io);
};
const struct prompt_word *prompt_words(void); /* name NULL ends it */
const struct prompt_word *prompt_word(const char *name);
/* Nearest words for one that is none: appended. */
void suggest(const char *word, struct buf *out);

/* -- cluster_words.c -- */
struct cluster_word {
    const char *name;   /* what is typed */
    const char *first;  /* the verb */
    const char *second; /* and its first word, or NULL */
    bool lab;           /* it is about the lab, not about the cluster of this prompt */
    const char *summary;
};
const struct cluster_word *cluster_words(void); /* name NULL ends it */
const struct cluster_word *cluster_word(const char *name);
/* Its own words, blank-separated, for completion; NULL: none. */
const char *cluster_word_subs(const struct cluster_word *w);
int cluster_word_run(struct session *s, const struct cluster_word *w, int argc, char **argv, const struct io *io);

/* -- complete.c -- */
void session_complete(void *session, const char *line, size_t cursor, struct completion *out);

#endif
