/* upgrade_int.h - the set of running stream sessions of a server. */
#ifndef STOWAGE_APISERVER_UPGRADE_INT_H
#define STOWAGE_APISERVER_UPGRADE_INT_H

struct upgrades;

struct upgrades *upgrades_new(void);
/* Shuts every session's socket down and waits until their threads are gone. */
void upgrades_stop(struct upgrades *u);
/* The sessions there are shall end; there may be others later. */
void upgrades_end(struct upgrades *u);
/* NULL is fine. */
void upgrades_free(struct upgrades *u);

/* A thread of ours outside a session (opening a log): upgrades_stop() waits for it too. */
void upgrades_enter(struct upgrades *u);
void upgrades_leave(struct upgrades *u);

/* Waits until no session is in the middle of closing its connection. On the HTTP thread, when one that was upgraded
 * (conn.upgraded) is about to be freed. */
void upgrade_settle(struct upgrades *u);

/* The request ends; an upgrade that never came about is let go. */
struct request;
void upgrade_request_end(struct request *rq);

#endif
