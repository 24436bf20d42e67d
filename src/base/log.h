/* log.h - the log sink. Floors below control return errors and do not log; those above may.
 *
 * One line an entry, to standard error or a file: time, level, component, text. Never a credential, never a
 * user's file content. THREADS: safe from any thread. */
#ifndef STOWAGE_BASE_LOG_H
#define STOWAGE_BASE_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

void log_set_level(enum log_level level);
void log_set_fd(int fd); /* borrows; default 2 */
void log_line(enum log_level level, const char *component, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(comp, ...) log_line(LOG_LEVEL_DEBUG, comp, __VA_ARGS__)
#define log_info(comp, ...)  log_line(LOG_LEVEL_INFO, comp, __VA_ARGS__)
#define log_warn(comp, ...)  log_line(LOG_LEVEL_WARN, comp, __VA_ARGS__)
#define log_error(comp, ...) log_line(LOG_LEVEL_ERROR, comp, __VA_ARGS__)

#endif
