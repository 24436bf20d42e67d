/* sql_store.h - the little that the guest's databases know of SQL: databases, tables and rows, each a file or a
 * directory below the data directory. */
#ifndef STOWAGE_GUEST_SQL_STORE_H
#define STOWAGE_GUEST_SQL_STORE_H

#include <stdio.h>

/* Runs one statement and writes the answer:
 *   OK <rows>          INSERT, DELETE; 0 for others
 *   ERR <text>
 *   ROWS <n>           then a header line and n lines, cells separated by tabs
 * `database` (64 bytes) is what USE chose. Statements: CREATE/DROP DATABASE|TABLE, USE, SHOW DATABASES|TABLES,
 * INSERT INTO t [(…)] VALUES (…), (…), SELECT … FROM t [WHERE c = v], SELECT 1|VERSION()|COUNT(*), DELETE FROM t. */
void sql_run(const char *statement, char database[64], const char *version, FILE *out);

#endif
